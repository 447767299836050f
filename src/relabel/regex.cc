/* regex.cc - RE2 behind regex.h. The only C++ of the program. */
#include <cstdio>
#include <re2/re2.h>
#include <walship/regex.h>

struct regex {
    explicit regex(const re2::StringPiece &pattern, const RE2::Options &options)
        : compiled(pattern, options)
    {
    }
    RE2 compiled;
};

struct regex *regex_new(const char *pattern, size_t bytes, char *why, size_t why_bytes)
{
    RE2::Options options;
    options.set_log_errors(false);
    options.set_dot_nl(true);
    struct regex *regex = new struct regex(re2::StringPiece(pattern, bytes), options);
    if (!regex->compiled.ok()) {
        snprintf(why, why_bytes, "%s", regex->compiled.error().c_str());
        delete regex;
        return nullptr;
    }
    return regex;
}

void regex_free(struct regex *regex)
{
    delete regex;
}

bool regex_matches(const struct regex *regex, const char *text, size_t bytes)
{
    return RE2::FullMatch(re2::StringPiece(text, bytes), regex->compiled);
}
