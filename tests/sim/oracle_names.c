/* oracle_names.c - what has another name in another life of walship: destinations, and series whose
 * final labels change from one life of walship to another, as its external labels do. To the oracle
 * it is one series under several names: all of its items arrive once by one of them at least, and
 * by each in WAL order. */
#include "oracle.h"

void oracle_series_name(struct oracle *oracle, uint32_t series, uint32_t name,
                        const struct label *labels, size_t count)
{
    ASSERT(series < oracle->series_count && name > 0 && name < ORACLE_NAMES_MAX);
    uint32_t other = oracle_series_add(oracle, labels, count);
    struct oracle_series *to = &oracle->series[other];
    ASSERT(to->of == other || to->of == series);         /* nobody else's */
    ASSERT(other == series || to->first == ORACLE_NONE); /* before there are items */
    to->of = series;
    oracle->series[series].names[name] = other;
}

uint32_t oracle_series_of(const struct oracle *oracle, uint32_t labels)
{
    ASSERT(labels < oracle->series_count);
    return oracle->series[labels].of;
}

uint32_t oracle_name_of(const struct oracle *oracle, uint32_t series)
{
    ASSERT(series < oracle->series_count && oracle->series[series].of == series);
    return oracle->series[series].names[oracle->name];
}

uint16_t oracle_shard(const struct oracle *oracle, const struct oracle_destination *destination,
                      uint32_t series)
{
    return oracle->series[oracle_name_of(oracle, series)].shard[destination->conf->fold_case];
}

void oracle_adopted(struct oracle *oracle, size_t index)
{
    struct oracle_destination *destination = &oracle->destinations[index];
    ASSERT(!oracle->runs && strcmp(destination->saved_name, destination->conf->name) != 0);
    if (!destination->committed) { /* nothing is saved by any name */
        destination->saved_name = destination->conf->name;
    }
}

void oracle_renamed(struct oracle *oracle, uint32_t name)
{
    ASSERT(name < ORACLE_NAMES_MAX && !oracle->runs);
    oracle->name = name;
    oracle->names_used |= 1u << name;
    for (size_t i = 0; i < oracle->conf->destinations_count; i++) {
        oracle_reconfigured(oracle, i);
    }
}
