/* test_document.c - docs/CONFIG.md is what the tables say now. To write it again:
 * WALSHIP_WRITE_DOCS=1 build/dev/test_conf */
#include <check.h>
#include <walship/conf.h>

static void read_file(const char *path, struct buf *out)
{
    FILE *file = fopen(path, "rb");
    ck_assert_msg(file != NULL, "%s is missing", path);
    char chunk[4096];
    for (size_t got; (got = fread(chunk, 1, sizeof chunk, file)) > 0;) {
        ck_assert(buf_append(out, chunk, got));
    }
    (void)fclose(file);
}

static void write_file(const char *path, const struct buf *bytes)
{
    FILE *file = fopen(path, "wb");
    ck_assert(file != NULL);
    ck_assert_uint_eq(fwrite(bytes->data, 1, bytes->bytes, file), bytes->bytes);
    ck_assert_int_eq(fclose(file), 0);
}

START_TEST(the_page_in_docs_is_what_the_tables_say)
{
    static const char path[] = WALSHIP_SOURCE_DIR "/docs/CONFIG.md";
    struct buf made;
    struct buf stored;
    buf_init(&made, 1 << 20);
    buf_init(&stored, 1 << 20);
    ck_assert(conf_document(&made));
    if (getenv("WALSHIP_WRITE_DOCS") != NULL) {
        write_file(path, &made);
    }
    read_file(path, &stored);
    ck_assert_msg(made.bytes == stored.bytes && memcmp(made.data, stored.data, made.bytes) == 0,
                  "docs/CONFIG.md is stale: WALSHIP_WRITE_DOCS=1 build/dev/test_conf");
    buf_release(&made);
    buf_release(&stored);
}

START_TEST(a_page_that_does_not_fit_is_said)
{
    for (size_t limit = 100; limit < 4000; limit += 100) {
        struct buf small;
        buf_init(&small, limit);
        ck_assert(!conf_document(&small));
        buf_release(&small);
    }
}

Suite *suite_document(void);
Suite *suite_document(void)
{
    Suite *suite = suite_create("document");
    TCase *cases = tcase_create("document");
    tcase_add_test(cases, the_page_in_docs_is_what_the_tables_say);
    tcase_add_test(cases, a_page_that_does_not_fit_is_said);
    suite_add_tcase(suite, cases);
    return suite;
}
