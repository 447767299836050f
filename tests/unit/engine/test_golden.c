/* test_golden.c - the engine's steps as text: tests/golden/engine/NAME.txt holds the script (lines
 * that start with "> ", see world.h) and what it prints (all others but # comments). The text is
 * the specification. After a change on purpose `WALSHIP_GOLDEN_WRITE=1 test_engine` writes the
 * files anew; read the difference. The engine's invariants are checked after every turn besides. */
#include "world.h"

#include <check.h>
#include <walship/mem.h>

static const char *const traces[] = {"steady",
                                     "retry",
                                     "ambiguous",
                                     "restart",
                                     "parked",
                                     "too_big",
                                     "repair",
                                     "emptied",
                                     "isolation",
                                     "truncated",
                                     "kept_linked",
                                     "kept_copied",
                                     "kept_room",
                                     "kept_repair",
                                     "kept_series",
                                     "kept_start",
                                     "kept_unsaved",
                                     "kept_budget",
                                     "start_now",
                                     "start_ago",
                                     "once",
                                     "another",
                                     "rename",
                                     "commit_fails",
                                     "checkpoint",
                                     "catching_up",
                                     "full",
                                     "pinned",
                                     "stop",
                                     "token",
                                     "token_fails",
                                     "unauthorized",
                                     "revoked",
                                     "final",
                                     "lent",
                                     "relabel",
                                     "quota",
                                     "learned",
                                     "kinds",
                                     "emptied_same",
                                     "repaired_middle",
                                     "damage",
                                     "damage_once",
                                     "too_old",
                                     "out_of_order",
                                     "folded",
                                     "repaired_unsaved",
                                     "emptied_series",
                                     "kept_below",
                                     "repaired_empty",
                                     "kept_gap",
                                     "emptied_unseen",
                                     "damage_below",
                                     "parted_ref",
                                     "emptied_held"};

/* another configuration while it runs */
static const char *const reloads[] = {"reload_endpoints", "reload_labels",   "reload_destinations",
                                      "reload_pinned",    "reload_metadata", "reload_scanned",
                                      "resume_merged",    "reload_parked"};

/* other items than floats, and remote write 2.0 */
static const char *const kinds[] = {"metadata",        "written",     "fallback",
                                    "kinds_dropped",   "undecodable", "kinds_counted",
                                    "metadata_renamed"};

static const char *const refusals[] = {"poison",
                                       "poison_series",
                                       "poison_first",
                                       "poison_segments",
                                       "poison_long",
                                       "already_there",
                                       "already_there_not",
                                       "already_there_restart",
                                       "already_there_deleted",
                                       "already_there_overtaken",
                                       "already_there_rounds",
                                       "cut_off",
                                       "partly_taken",
                                       "stumbles",
                                       "stumbles_moved",
                                       "refuses_all",
                                       "refused_ill",
                                       "refused_ill_others",
                                       "given_up",
                                       "redirects"};

static void replay(struct world *world, FILE *file, struct buf *is)
{
    char line[2048];
    while (fgets(line, sizeof line, file) != NULL) {
        ck_assert(buf_append(is, line, strlen(line)));
        if (line[0] != '>' && line[0] != '#' && line[0] != '\n') {
            continue; /* what it printed last time */
        }
        ck_assert(buf_append(&world->out, line, strlen(line)));
        if (line[0] == '>') {
            line[strcspn(line, "\n")] = 0;
            world_step(world, line + 2);
        }
    }
}

/* The first line that differs: the whole text may be more than a message holds. */
static void same_text(const char *name, const char *is, const char *was)
{
    unsigned line = 1;
    while (*is != 0 && strcspn(is, "\n") == strcspn(was, "\n") &&
           strncmp(is, was, strcspn(is, "\n") + 1) == 0) {
        is += strcspn(is, "\n") + (strchr(is, '\n') != NULL);
        was += strcspn(was, "\n") + (strchr(was, '\n') != NULL);
        line++;
    }
    ck_assert_msg(*is == *was && *is == 0, "%s.txt:%u is now\n%.*s\nand was\n%.*s", name, line,
                  (int)strcspn(is, "\n"), is, (int)strcspn(was, "\n"), was);
}

static void trace_check(const char *name)
{
    char *path = mem_format("%s/tests/golden/engine/%s.txt", WALSHIP_SOURCE_DIR, name);
    struct world world;
    struct buf is;
    buf_init(&is, WORLD_TEXT_BYTES_MAX);
    world_init(&world);
    FILE *file = fopen(path, "r");
    ck_assert_msg(file != NULL, "no %s", path);
    replay(&world, file, &is);
    (void)fclose(file);
    ck_assert_uint_gt(world.http->sequence + world.out.bytes,
                      100); /* an empty file proves nothing */
    if (getenv("WALSHIP_GOLDEN_WRITE") != NULL) {
        file = fopen(path, "w");
        ck_assert_ptr_nonnull(file);
        ck_assert_uint_eq(fwrite(world.out.data, 1, world.out.bytes, file), world.out.bytes);
        (void)fclose(file);
    } else {
        ck_assert(buf_append(&world.out, "", 1) && buf_append(&is, "", 1));
        same_text(name, (const char *)world.out.data, (const char *)is.data);
    }
    world_release(&world);
    buf_release(&is);
    mem_free(path);
}

START_TEST(the_traces_are_as_written)
{
    trace_check(traces[_i]);
}

START_TEST(the_traces_of_refusals_are_as_written)
{
    trace_check(refusals[_i]);
}

START_TEST(the_traces_of_reloads_are_as_written)
{
    trace_check(reloads[_i]);
}

START_TEST(the_traces_of_kinds_are_as_written)
{
    trace_check(kinds[_i]);
}

Suite *suite_golden(void);
Suite *suite_golden(void)
{
    Suite *suite = suite_create("engine golden traces");
    TCase *tcase = tcase_create("traces");
    tcase_add_loop_test(tcase, the_traces_are_as_written, 0, (int)ARRAY_COUNT(traces));
    tcase_add_loop_test(tcase, the_traces_of_refusals_are_as_written, 0,
                        (int)ARRAY_COUNT(refusals));
    tcase_add_loop_test(tcase, the_traces_of_reloads_are_as_written, 0, (int)ARRAY_COUNT(reloads));
    tcase_add_loop_test(tcase, the_traces_of_kinds_are_as_written, 0, (int)ARRAY_COUNT(kinds));
    suite_add_tcase(suite, tcase);
    return suite;
}
