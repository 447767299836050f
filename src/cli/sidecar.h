/* sidecar.h - walship in the place of the Azure side car: no file, the same environment variables.
 * docs/MIGRATING.md has the table of them. */
#ifndef CLI_SIDECAR_H
#define CLI_SIDECAR_H

#include <walship/conf.h>

/* What stands where a file's name would. */
extern const char sidecar_source[];
/* INGESTION_URL is set. */
bool sidecar_wanted(void);
/* The configuration as the environment says it. NULL: problems tell. */
struct conf *sidecar_conf(struct conf_problems *problems);
/* What to add when there is no readable WAL. */
const char *sidecar_hint(void);

#endif
