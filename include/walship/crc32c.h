/* crc32c.h - CRC-32C (Castagnoli, reflected 0x82F63B78, init and xorout all ones), as the WAL uses.
 * crc32c("123456789") = 0xE3069283. Uses SSE4.2 where the processor has it. */
#ifndef WALSHIP_CRC32C_H
#define WALSHIP_CRC32C_H

#include <stddef.h>
#include <stdint.h>

uint32_t crc32c(const void *bytes, size_t count);

#endif
