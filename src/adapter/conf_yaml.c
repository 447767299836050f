/* conf_yaml.c - libyaml's document API to a tree of conf_node.
 *
 * libyaml keeps an alias as a second reference to the same node, and lets a node contain itself.
 * The walk copies what it meets, with a stack of its own: a cycle ends at the depth limit, an alias
 * bomb at the node limit. All nodes and texts are in blocks that are freed together. */
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>
#include <walship/conf_yaml.h>
#include <walship/mem.h>
#include <yaml.h>

enum { BLOCK_BYTES = 64 << 10 };

struct block {
    struct block *next;
    size_t used, room;
    _Alignas(16) char bytes[];
};

struct conf_yaml {
    struct block *blocks;
    struct conf_node *root;
};

/* A map or list whose children are being copied. */
struct level {
    const yaml_node_t *from;
    struct conf_node *to;
    size_t next; /* child; of a map: key, value, key, ... */
};

struct walk {
    struct conf_yaml *yaml;
    yaml_document_t *document;
    const char *file;
    struct conf_problems *problems;
    size_t nodes;
    size_t text_bytes;
    size_t depth;
    struct level levels[CONF_YAML_DEPTH_MAX];
};

static void *take(struct conf_yaml *yaml, size_t bytes)
{
    size_t rounded = (bytes + 15) & ~(size_t)15;
    if (yaml->blocks == NULL || yaml->blocks->room - yaml->blocks->used < rounded) {
        size_t room = rounded > BLOCK_BYTES ? rounded : BLOCK_BYTES;
        struct block *block = mem_new(1, sizeof *block + room);
        block->room = room;
        block->next = yaml->blocks;
        yaml->blocks = block;
    }
    ASSERT(yaml->blocks->room - yaml->blocks->used >= rounded);
    void *out = yaml->blocks->bytes + yaml->blocks->used;
    yaml->blocks->used += rounded;
    return out;
}

void conf_yaml_free(struct conf_yaml *yaml)
{
    if (yaml == NULL) {
        return;
    }
    while (yaml->blocks != NULL) {
        struct block *next = yaml->blocks->next;
        mem_free(yaml->blocks);
        yaml->blocks = next;
    }
    mem_free(yaml);
}

const struct conf_node *conf_yaml_root(const struct conf_yaml *yaml)
{
    ASSERT(yaml != NULL && yaml->root != NULL);
    return yaml->root;
}

static bool complain(const struct walk *walk, const yaml_mark_t *mark, const char *text)
{
    conf_problem(walk->problems, walk->file, (unsigned)mark->line + 1, (unsigned)mark->column + 1,
                 "%s", text);
    return false;
}

/* ---- one node ---- */

static bool is_null(const char *text)
{
    return *text == '\0' || strcmp(text, "~") == 0 || strcmp(text, "null") == 0 ||
           strcmp(text, "Null") == 0 || strcmp(text, "NULL") == 0;
}

static bool copy_scalar(struct walk *walk, const yaml_node_t *from, struct conf_node *to)
{
    const char *text = (const char *)from->data.scalar.value;
    size_t bytes = from->data.scalar.length;
    if (memchr(text, '\0', bytes) != NULL) {
        return complain(walk, &from->start_mark, "a value must not hold a NUL character");
    }
    walk->text_bytes += bytes + 1;
    if (walk->text_bytes > (size_t)4 * CONF_YAML_BYTES_MAX) {
        return complain(walk, &from->start_mark, "aliases make the file too large");
    }
    char *copy = take(walk->yaml, bytes + 1);
    memcpy(copy, text, bytes);
    copy[bytes] = '\0';
    to->quoted = from->data.scalar.style != YAML_PLAIN_SCALAR_STYLE;
    to->text = copy;
    to->kind = !to->quoted && is_null(copy) ? CONF_NULL : CONF_SCALAR;
    return true;
}

/* Number of children to visit; the arrays for them are made here. */
static void copy_collection(struct walk *walk, const yaml_node_t *from, struct conf_node *to)
{
    bool map = from->type == YAML_MAPPING_NODE;
    size_t count = map ? (size_t)(from->data.mapping.pairs.top - from->data.mapping.pairs.start)
                       : (size_t)(from->data.sequence.items.top - from->data.sequence.items.start);
    to->kind = map ? CONF_MAP : CONF_LIST;
    to->count = 0; /* grows as children are copied */
    to->values = take(walk->yaml, (count + 1) * sizeof(void *));
    if (map) {
        to->keys = take(walk->yaml, (count + 1) * sizeof(void *));
    }
}

/* libyaml sets the tag of an untagged node to the plain one of its kind. */
static bool tag_good(const yaml_node_t *node)
{
    const char *plain = node->type == YAML_SCALAR_NODE     ? YAML_STR_TAG
                        : node->type == YAML_SEQUENCE_NODE ? YAML_SEQ_TAG
                                                           : YAML_MAP_TAG;
    return node->tag == NULL || strcmp((const char *)node->tag, plain) == 0;
}

/* Copies the node numbered `id`; a map or list is opened for its children. NULL: said. */
static struct conf_node *copy_node(struct walk *walk, int id)
{
    const yaml_node_t *from = yaml_document_get_node(walk->document, id);
    ASSERT(from != NULL);
    if (++walk->nodes > CONF_YAML_NODES_MAX) {
        complain(walk, &from->start_mark, "too many nodes (aliases count as what they stand for)");
        return NULL;
    }
    if (!tag_good(from)) {
        complain(walk, &from->start_mark, "tags are not supported");
        return NULL;
    }
    struct conf_node *to = take(walk->yaml, sizeof *to);
    to->line = (unsigned)from->start_mark.line + 1;
    to->column = (unsigned)from->start_mark.column + 1;
    if (from->type == YAML_SCALAR_NODE) {
        return copy_scalar(walk, from, to) ? to : NULL;
    }
    ASSERT(from->type == YAML_SEQUENCE_NODE || from->type == YAML_MAPPING_NODE);
    if (walk->depth == CONF_YAML_DEPTH_MAX) {
        complain(walk, &from->start_mark, "nested too deeply");
        return NULL;
    }
    copy_collection(walk, from, to);
    walk->levels[walk->depth++] = (struct level){.from = from, .to = to};
    return to;
}

/* ---- the walk ---- */

static bool map_step(struct walk *walk, struct level *level)
{
    const yaml_node_pair_t *pair = level->from->data.mapping.pairs.start + level->next / 2;
    if (level->from->data.mapping.pairs.top == pair) {
        walk->depth--;
        return true;
    }
    struct conf_node *to = level->to;
    bool key = level->next++ % 2 == 0;
    struct conf_node *child = copy_node(walk, key ? pair->key : pair->value);
    if (child == NULL) {
        return false;
    }
    if (key && child->kind == CONF_NULL) {
        child->kind = CONF_SCALAR; /* a key is its text, `null:` too */
    }
    if (key) {
        to->keys[to->count] = child;
    } else {
        to->values[to->count++] = child;
    }
    return true;
}

static bool list_step(struct walk *walk, struct level *level)
{
    const yaml_node_item_t *item = level->from->data.sequence.items.start + level->next;
    if (level->from->data.sequence.items.top == item) {
        walk->depth--;
        return true;
    }
    struct conf_node *to = level->to;
    level->next++;
    struct conf_node *child = copy_node(walk, *item);
    if (child == NULL) {
        return false;
    }
    to->values[to->count++] = child;
    return true;
}

static bool copy_document(struct walk *walk)
{
    const yaml_node_t *root = yaml_document_get_root_node(walk->document);
    if (root == NULL) {
        walk->yaml->root = take(walk->yaml, sizeof *walk->yaml->root);
        walk->yaml->root->line = 1;
        walk->yaml->root->column = 1;
        return true;
    }
    walk->yaml->root = copy_node(walk, 1);
    bool good = walk->yaml->root != NULL;
    while (good && walk->depth > 0) {
        struct level *level = &walk->levels[walk->depth - 1];
        good = level->to->kind == CONF_MAP ? map_step(walk, level) : list_step(walk, level);
    }
    return good;
}

/* ---- parsing ---- */

static bool parser_failed(const struct walk *walk, const yaml_parser_t *parser)
{
    const yaml_mark_t *mark = &parser->problem_mark;
    const char *problem = parser->problem != NULL ? parser->problem : "not YAML";
    if (parser->error ==
        YAML_READER_ERROR) { /* the mark of these is unset; the scanner's is near */
        mark = &parser->mark;
    }
    conf_problem(walk->problems, walk->file, (unsigned)mark->line + 1, (unsigned)mark->column + 1,
                 "%s%s%s", parser->context != NULL ? parser->context : "",
                 parser->context != NULL ? ": " : "", problem);
    return false;
}

/* True: nothing follows the first document. */
static bool is_last(struct walk *walk, yaml_parser_t *parser)
{
    yaml_document_t second;
    if (!yaml_parser_load(parser, &second)) {
        return parser_failed(walk, parser);
    }
    bool last = yaml_document_get_root_node(&second) == NULL;
    if (!last) {
        complain(walk, &second.start_mark, "a second document: only one is read");
    }
    yaml_document_delete(&second);
    return last;
}

static bool load_document(struct walk *walk, yaml_parser_t *parser)
{
    if (!yaml_parser_load(parser, walk->document)) {
        return parser_failed(walk, parser);
    }
    bool empty = yaml_document_get_root_node(walk->document) == NULL;
    bool good = copy_document(walk) && (empty || is_last(walk, parser));
    yaml_document_delete(walk->document);
    return good;
}

struct conf_yaml *conf_yaml_parse(const void *bytes, size_t count, const char *file,
                                  struct conf_problems *problems)
{
    ASSERT((bytes != NULL || count == 0) && file != NULL && problems != NULL);
    yaml_document_t document;
    struct walk walk = {.document = &document, .file = file, .problems = problems};
    if (count > CONF_YAML_BYTES_MAX) {
        conf_problem(problems, file, 1, 1, "the file is larger than %d bytes", CONF_YAML_BYTES_MAX);
        return NULL;
    }
    yaml_parser_t parser;
    if (!yaml_parser_initialize(&parser)) {
        conf_problem(problems, file, 1, 1, "out of memory");
        return NULL;
    }
    walk.yaml = mem_new(1, sizeof *walk.yaml);
    yaml_parser_set_input_string(&parser, count > 0 ? bytes : (const void *)"", count);
    bool good = load_document(&walk, &parser);
    yaml_parser_delete(&parser);
    if (!good) {
        conf_yaml_free(walk.yaml);
        return NULL;
    }
    ASSERT(walk.yaml->root != NULL);
    return walk.yaml;
}

/* ---- files ---- */

static bool read_all(int fd, struct buf *out)
{
    for (;;) {
        uint8_t chunk[16 << 10];
        ssize_t count = read(fd, chunk, sizeof chunk);
        if (count < 0 && errno == EINTR) {
            continue;
        }
        if (count <= 0) {
            return count == 0;
        }
        if (!buf_append(out, chunk, (size_t)count)) {
            errno = EFBIG;
            return false;
        }
    }
}

struct conf_yaml *conf_yaml_read(const char *path, struct conf_problems *problems)
{
    ASSERT(path != NULL && problems != NULL);
    struct buf text;
    struct conf_yaml *yaml = NULL;
    buf_init(&text, CONF_YAML_BYTES_MAX + 1);
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK); /* a fifo must not hang the start */
    if (fd < 0 || !read_all(fd, &text)) {
        conf_problem(problems, path, 1, 1, "cannot read the file: %s", strerror(errno));
    } else {
        yaml = conf_yaml_parse(text.data, text.bytes, path, problems);
    }
    if (fd >= 0) {
        close(fd);
    }
    buf_release(&text);
    return yaml;
}

struct conf_web *conf_yaml_web(const char *path, struct conf_problems *problems)
{
    struct conf_yaml *yaml = conf_yaml_read(path, problems);
    struct conf_web *web =
        yaml != NULL ? conf_web_bind(conf_yaml_root(yaml), path, problems) : NULL;
    conf_yaml_free(yaml);
    return web;
}

struct conf_page *conf_yaml_page(const char *path, struct conf_problems *problems)
{
    struct conf_yaml *yaml = conf_yaml_read(path, problems);
    struct conf_page *page =
        yaml != NULL ? conf_page_bind(conf_yaml_root(yaml), path, problems) : NULL;
    conf_yaml_free(yaml);
    return page;
}

static const char *environment(void *context, const char *name)
{
    (void)context;
    return getenv(name);
}

struct conf *conf_yaml_bind(const struct conf_node *root, const char *path,
                            struct conf_problems *problems)
{
    struct conf_sources sources = {.variable = environment};
    char *prometheus_path = conf_prometheus_path(root, path);
    struct conf_yaml *prometheus = NULL;
    struct conf *conf = NULL;
    if (prometheus_path != NULL) {
        prometheus = conf_yaml_read(prometheus_path, problems);
    }
    if (prometheus_path == NULL || prometheus != NULL) {
        sources.prometheus = prometheus != NULL ? conf_yaml_root(prometheus) : NULL;
        sources.prometheus_file = prometheus_path;
        conf = conf_bind_with(root, path, &sources, problems);
    }
    if (conf != NULL && conf->web_config != NULL &&
        (conf->web = conf_yaml_web(conf->web_config, problems)) == NULL) {
        conf_free(conf);
        conf = NULL;
    }
    conf_yaml_free(prometheus);
    mem_free(prometheus_path);
    return conf;
}

bool conf_yaml_load(const char *path, struct conf_problems *problems, struct conf **out)
{
    ASSERT(out != NULL);
    struct conf_yaml *yaml = conf_yaml_read(path, problems);
    *out = yaml != NULL ? conf_yaml_bind(conf_yaml_root(yaml), path, problems) : NULL;
    conf_yaml_free(yaml);
    ASSERT(*out != NULL || problems->count > 0);
    return *out != NULL;
}
