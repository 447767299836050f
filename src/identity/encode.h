/* encode.h - private: how bytes are written into URLs, forms, JSON and headers. */
#ifndef WALSHIP_SRC_IDENTITY_ENCODE_H
#define WALSHIP_SRC_IDENTITY_ENCODE_H

#include "secret.h"

/* All but the unreserved characters of RFC 3986 as %XX. */
void encode_percent(struct secret *out, const char *text);
/* name=value, after an & unless `out` is empty or ends with ?. */
void encode_field(struct secret *out, const char *name, const char *value);
enum base64_kind { BASE64_STANDARD, BASE64_URL }; /* URL: no padding */
void encode_base64(struct secret *out, const void *bytes, size_t count, enum base64_kind kind);
/* "text" with its quotes. */
void encode_json(struct secret *out, const char *text);

#endif
