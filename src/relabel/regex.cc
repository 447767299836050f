/* regex.cc - RE2 behind regex.h. The only C++ of the program.
 *
 * Prometheus compiles ^(?s:PATTERN)$ with Go's library, which is RE2's own syntax but for a few
 * words; those are brought into line here, and so are the error texts. The anchors stand in the
 * pattern as they do there: a)|(?:b is good, and means what it means there. */
#include <algorithm>
#include <cstdio>
#include <re2/re2.h>
#include <string>
#include <vector>
#include <walship/limits.h>
#include <walship/regex.h>

struct regex {
    regex(const std::string &pattern, const RE2::Options &options) : compiled(pattern, options)
    {
    }
    RE2 compiled;
};

namespace
{

/* As Go says it. */
const char *go_text(RE2::ErrorCode code)
{
    switch (code) {
    case RE2::ErrorBadEscape:
        return "invalid escape sequence";
    case RE2::ErrorBadCharClass:
        return "invalid character class";
    case RE2::ErrorBadCharRange:
        return "invalid character class range";
    case RE2::ErrorMissingBracket:
        return "missing closing ]";
    case RE2::ErrorMissingParen:
        return "missing closing )";
    case RE2::ErrorUnexpectedParen:
        return "unexpected )";
    case RE2::ErrorTrailingBackslash:
        return "trailing backslash at end of expression";
    case RE2::ErrorRepeatArgument:
        return "missing argument to repetition operator";
    case RE2::ErrorRepeatSize:
        return "invalid repeat count";
    case RE2::ErrorRepeatOp:
        return "invalid nested repetition operator";
    case RE2::ErrorBadPerlOp:
        return "invalid or unsupported Perl syntax";
    case RE2::ErrorBadUTF8:
        return "invalid UTF-8";
    case RE2::ErrorBadNamedCapture:
        return "invalid named capture";
    case RE2::ErrorPatternTooLarge:
        return "expression too large";
    default:
        return "internal error";
    }
}

/* One step over what stands for itself: an escape, \Q...\E, a class. */
size_t over_escape(const std::string &pattern, size_t at)
{
    if (pattern.compare(at, 2, "\\Q") == 0) {
        size_t end = pattern.find("\\E", at + 2);
        return end == std::string::npos ? pattern.size() : end + 2;
    }
    return std::min(at + 2, pattern.size());
}

size_t over_class(const std::string &pattern, size_t at)
{
    at++;
    at += pattern.compare(at, 1, "^") == 0;
    at += pattern.compare(at, 1, "]") == 0; /* the first one is a member */
    while (at < pattern.size() && pattern[at] != ']') {
        size_t named =
            pattern.compare(at, 2, "[:") == 0 ? pattern.find(":]", at + 2) : std::string::npos;
        at = named != std::string::npos ? named + 2 : pattern[at] == '\\' ? at + 2 : at + 1;
    }
    return std::min(at + 1, pattern.size());
}

/* Go knows (?<name>...) beside (?P<name>...), and does not know \C. False: the latter. */
bool from_go(const std::string &pattern, std::string *out)
{
    for (size_t at = 0; at < pattern.size();) {
        size_t next = at + 1;
        if (pattern.compare(at, 2, "\\C") == 0) {
            return false;
        }
        if (pattern[at] == '\\') {
            next = over_escape(pattern, at);
        } else if (pattern[at] == '[') {
            next = over_class(pattern, at);
        } else if (pattern.compare(at, 3, "(?<") == 0) {
            out->append("(?P<");
            at += 3;
            continue;
        }
        out->append(pattern, at, next - at);
        at = next;
    }
    return true;
}

} // namespace

struct regex *regex_new(const char *pattern, size_t bytes, char *why, size_t why_bytes)
{
    RE2::Options options;
    options.set_log_errors(false);
    options.set_max_mem(REGEX_BYTES_MAX);
    std::string own = "^(?s:";
    if (!from_go(std::string(pattern, bytes), &own)) {
        snprintf(why, why_bytes, "error parsing regexp: invalid escape sequence: `\\C`");
        return nullptr;
    }
    own.append(")$");
    struct regex *regex = new struct regex(own, options);
    if (!regex->compiled.ok()) {
        snprintf(why, why_bytes, "error parsing regexp: %s: `%s`",
                 go_text(regex->compiled.error_code()), regex->compiled.error_arg().c_str());
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
    return regex->compiled.Match(re2::StringPiece(text, bytes), 0, bytes, RE2::UNANCHORED, nullptr,
                                 0);
}

size_t regex_groups(const struct regex *regex)
{
    return (size_t)regex->compiled.NumberOfCapturingGroups() + 1;
}

size_t regex_group_named(const struct regex *regex, const char *name, size_t bytes)
{
    const auto &groups = regex->compiled.NamedCapturingGroups();
    auto found = groups.find(std::string(name, bytes));
    return found == groups.end() ? 0 : (size_t)found->second;
}

bool regex_find(const struct regex *regex, const char *text, size_t bytes,
                struct regex_group *groups)
{
    text = text == nullptr ? "" : text; /* a group of no bytes is still one that took part */
    std::vector<re2::StringPiece> found(regex_groups(regex));
    if (!regex->compiled.Match(re2::StringPiece(text, bytes), 0, bytes, RE2::UNANCHORED,
                               found.data(), (int)found.size())) {
        return false;
    }
    for (size_t i = 0; i < found.size(); i++) {
        groups[i].at = found[i].data();
        groups[i].bytes = found[i].size();
    }
    return true;
}
