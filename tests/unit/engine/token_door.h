/* token_door.h - an http seam that answers token requests itself and hands all others to fake_http.
 *
 * What it does with a token request is set beforehand: a token of so many seconds ("t1", "t2",
 * ...), or a status. Answers come TOKEN_DOOR_MS after the post, in order. Time is the world's. */
#ifndef TEST_ENGINE_TOKEN_DOOR_H
#define TEST_ENGINE_TOKEN_DOOR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <walship/http.h>

enum { TOKEN_DOOR_MS = 5, TOKEN_DOOR_OPEN_MAX = 16 };

struct token_door {
    struct http seam; /* first */
    struct http *inner;
    const int64_t *now_ms;
    int64_t life_s;  /* of the tokens it gives */
    int fail_status; /* 0: gives tokens */
    unsigned given, asked;
    struct {
        uint64_t id;
        int64_t at_ms;
    } open[TOKEN_DOOR_OPEN_MAX];
    size_t open_count;
    char body[256];
    char last_authorization[64]; /* of the newest write that went through */
};

void token_door_init(struct token_door *door, struct http *inner, const int64_t *now_ms);
/* The client died. */
void token_door_crash(struct token_door *door);
/* INT64_MAX: nothing is due. */
int64_t token_door_deadline(const struct token_door *door);

#endif
