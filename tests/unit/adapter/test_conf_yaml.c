/* test_conf_yaml.c - YAML to nodes: places, aliases, and the limits that hostile files meet. */
#include <check.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>
#include <walship/conf_yaml.h>
#include <walship/mem.h>

static struct conf_problems problems;

static void setup(void)
{
    conf_problems_init(&problems);
}

static void teardown(void)
{
    conf_problems_release(&problems);
}

static struct conf_yaml *parse(const char *text)
{
    return conf_yaml_parse(text, strlen(text), "F", &problems);
}

static void expect_told(const char *told)
{
    ck_assert(buf_append(&problems.text, "", 1));
    ck_assert_str_eq((char *)problems.text.data, told);
}

START_TEST(every_node_knows_its_line_and_column)
{
    struct conf_yaml *yaml = parse("# first\na: 1\nbb:\n  - x\n  - {y: 'z'}\n");
    ck_assert_ptr_nonnull(yaml);
    const struct conf_node *root = conf_yaml_root(yaml);
    ck_assert_int_eq(root->kind, CONF_MAP);
    ck_assert_uint_eq(root->count, 2);
    ck_assert_str_eq(root->keys[1]->text, "bb");
    ck_assert_uint_eq(root->keys[1]->line, 3);
    ck_assert_uint_eq(root->keys[1]->column, 1);
    const struct conf_node *list = root->values[1];
    ck_assert_int_eq(list->kind, CONF_LIST);
    ck_assert_uint_eq(list->values[0]->line, 4);
    ck_assert_uint_eq(list->values[0]->column, 5);
    const struct conf_node *z = list->values[1]->values[0];
    ck_assert_str_eq(z->text, "z");
    ck_assert(z->quoted);
    ck_assert_uint_eq(z->line, 5);
    ck_assert_uint_eq(z->column, 9);
    ck_assert(!root->values[0]->quoted);
    conf_yaml_free(yaml);
}

static const struct {
    const char *text;
    enum conf_kind kind;
} scalars[] = {
    {"a: ", CONF_NULL},        {"a: ~", CONF_NULL},        {"a: null", CONF_NULL},
    {"a: NULL", CONF_NULL},    {"a: ''", CONF_SCALAR},     {"a: 'null'", CONF_SCALAR},
    {"a: nulls", CONF_SCALAR}, {"a: |\n  ~", CONF_SCALAR}, {"a: []", CONF_LIST},
    {"a: {}", CONF_MAP},
};

START_TEST(only_a_plain_null_is_null)
{
    struct conf_yaml *yaml = parse(scalars[_i].text);
    ck_assert_ptr_nonnull(yaml);
    ck_assert_int_eq(conf_yaml_root(yaml)->values[0]->kind, scalars[_i].kind);
    conf_yaml_free(yaml);
}

START_TEST(an_empty_file_is_null)
{
    static const char *const texts[] = {"", "# nothing\n", "---\n", "\xef\xbb\xbf"};
    struct conf_yaml *yaml = parse(texts[_i]);
    ck_assert_ptr_nonnull(yaml);
    ck_assert_int_eq(conf_yaml_root(yaml)->kind, CONF_NULL);
    conf_yaml_free(yaml);
}

START_TEST(an_alias_is_a_copy_of_what_it_names)
{
    struct conf_yaml *yaml = parse("a: &x {b: [1, 2]}\nc: *x\n");
    ck_assert_ptr_nonnull(yaml);
    const struct conf_node *root = conf_yaml_root(yaml);
    ck_assert_ptr_ne(root->values[0], root->values[1]);
    ck_assert_str_eq(root->values[1]->values[0]->values[1]->text, "2");
    conf_yaml_free(yaml);
}

static const struct {
    const char *text;
    const char *told;
} bad[] = {
    {"a: [b", "F:2:1: while parsing a flow sequence: did not find expected ',' or ']'\n"},
    {"a: b: c", "F:1:5: mapping values are not allowed in this context\n"},
    {"\tx: y", "F:1:1: while scanning for the next token: found character that cannot start any "
               "token\n"},
    {"a: *b", "F:1:4: found undefined alias\n"},
    {"a: 1\n---\nb: 2\n", "F:2:1: a second document: only one is read\n"},
    {"a: 1\n---\nb: [\n", "F:4:1: while parsing a flow node: did not find expected node content\n"},
    {"a: !secret b", "F:1:4: tags are not supported\n"},
    {"a: !!int 1", "F:1:4: tags are not supported\n"},
    {"a: \"x\\0y\"", "F:1:4: a value must not hold a NUL character\n"},
    {"a: &a [*a]", "F:1:4: nested too deeply\n"},
    {"a: &a {b: *a}", "F:1:4: nested too deeply\n"},
    {"&a {*a : *a}", "F:1:1: nested too deeply\n"},
    {"&a [&b [*a, *b]]", "F:1:1: nested too deeply\n"},
    {"a: \xff", "F:1:1: invalid leading UTF-8 octet\n"},
};

START_TEST(what_is_not_yaml_is_told_with_its_place)
{
    struct conf_yaml *yaml = parse(bad[_i].text);
    ck_assert_ptr_null(yaml);
    expect_told(bad[_i].told);
}

/* Depth counts maps and lists: the deepest that is read, and one more. */
START_TEST(nesting_ends_at_its_limit)
{
    for (int depth = CONF_YAML_DEPTH_MAX; depth <= CONF_YAML_DEPTH_MAX + 1; depth++) {
        char text[2 * CONF_YAML_DEPTH_MAX + 3] = "";
        memset(text, '[', (size_t)depth);
        memset(text + depth, ']', (size_t)depth);
        struct conf_yaml *yaml = parse(text);
        ck_assert_msg((yaml != NULL) == (depth == CONF_YAML_DEPTH_MAX), "depth %d", depth);
        conf_yaml_free(yaml);
    }
    expect_told("F:1:33: nested too deeply\n");
}

START_TEST(an_alias_bomb_is_refused)
{
    static const char text[] = "a: &a [x,x,x,x,x,x,x,x,x,x]\n"
                               "b: &b [*a,*a,*a,*a,*a,*a,*a,*a,*a,*a]\n"
                               "c: &c [*b,*b,*b,*b,*b,*b,*b,*b,*b,*b]\n"
                               "d: &d [*c,*c,*c,*c,*c,*c,*c,*c,*c,*c]\n"
                               "e: &e [*d,*d,*d,*d,*d,*d,*d,*d,*d,*d]\n"
                               "f: &f [*e,*e,*e,*e,*e,*e,*e,*e,*e,*e]\n";
    ck_assert_ptr_null(parse(text));
    expect_told("F:1:16: too many nodes (aliases count as what they stand for)\n");
}

START_TEST(many_aliases_of_one_long_text_are_refused)
{
    struct buf text;
    buf_init(&text, CONF_YAML_BYTES_MAX);
    ck_assert(buf_format(&text, "- &a "));
    for (int i = 0; i < 10000; i++) {
        ck_assert(buf_format(&text, "0123456789"));
    }
    for (int i = 0; i < 1000; i++) {
        ck_assert(buf_format(&text, "\n- *a"));
    }
    ck_assert_ptr_null(conf_yaml_parse(text.data, text.bytes, "F", &problems));
    expect_told("F:1:3: aliases make the file too large\n");
    buf_release(&text);
}

START_TEST(a_file_over_the_limit_is_refused)
{
    char *text = mem_new(CONF_YAML_BYTES_MAX + 1, 1);
    memset(text, '\n', CONF_YAML_BYTES_MAX + 1);
    struct conf_yaml *yaml = conf_yaml_parse(text, CONF_YAML_BYTES_MAX, "F", &problems);
    ck_assert_ptr_nonnull(yaml);
    conf_yaml_free(yaml);
    ck_assert_ptr_null(conf_yaml_parse(text, CONF_YAML_BYTES_MAX + 1, "F", &problems));
    expect_told("F:1:1: the file is larger than 1048576 bytes\n");
    mem_free(text);
}

START_TEST(a_file_that_cannot_be_read_is_told_by_name)
{
    struct conf *conf;
    ck_assert(!conf_yaml_load("/nonexistent/w.yml", &problems, &conf));
    ck_assert(!conf_yaml_load("/", &problems, &conf));
    expect_told("/nonexistent/w.yml:1:1: cannot read the file: No such file or directory\n"
                "/:1:1: cannot read the file: Is a directory\n");
}

START_TEST(a_file_is_loaded_and_bound)
{
    char path[] = "/tmp/walship-yaml-XXXXXX";
    static const char text[] = "wal_dir: wal\nremote_write: [{url: 'http://a'}]\n";
    int fd = mkstemp(path);
    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(write(fd, text, sizeof text - 1), sizeof text - 1);
    close(fd);
    struct conf *conf;
    ck_assert(conf_yaml_load(path, &problems, &conf));
    ck_assert_str_eq(conf->wal_dir, "/tmp/wal");
    ck_assert_uint_eq(problems.count, 0);
    conf_free(conf);
    ck_assert_int_eq(unlink(path), 0);
}

Suite *suite_conf_yaml(void);
Suite *suite_conf_yaml(void)
{
    Suite *suite = suite_create("conf_yaml");
    TCase *cases = tcase_create("conf_yaml");
    tcase_add_checked_fixture(cases, setup, teardown);
    tcase_add_test(cases, every_node_knows_its_line_and_column);
    tcase_add_loop_test(cases, only_a_plain_null_is_null, 0, (int)ARRAY_COUNT(scalars));
    tcase_add_loop_test(cases, an_empty_file_is_null, 0, 4);
    tcase_add_test(cases, an_alias_is_a_copy_of_what_it_names);
    tcase_add_loop_test(cases, what_is_not_yaml_is_told_with_its_place, 0, (int)ARRAY_COUNT(bad));
    tcase_add_test(cases, nesting_ends_at_its_limit);
    tcase_add_test(cases, an_alias_bomb_is_refused);
    tcase_add_test(cases, many_aliases_of_one_long_text_are_refused);
    tcase_add_test(cases, a_file_over_the_limit_is_refused);
    tcase_add_test(cases, a_file_that_cannot_be_read_is_told_by_name);
    tcase_add_test(cases, a_file_is_loaded_and_bound);
    suite_add_tcase(suite, cases);
    return suite;
}
