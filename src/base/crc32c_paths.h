/* crc32c_paths.h - the two ways to the same sum, apart, so that tests can hold them against each
 * other. */
#ifndef BASE_CRC32C_PATHS_H
#define BASE_CRC32C_PATHS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* `state` is the sum's register: all ones at first, inverted at the end. */
uint32_t crc32c_portable(uint32_t state, const uint8_t *at, size_t count);
bool crc32c_has_hardware(void);
uint32_t crc32c_hardware(uint32_t state, const uint8_t *at, size_t count);

#endif
