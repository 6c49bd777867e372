// Looks into JSON that smolwf handed out, which is valid, without copying it. Not for text from
// elsewhere. What is not there is an empty view.
#ifndef EXAMPLE_JSON_VIEW_HPP
#define EXAMPLE_JSON_VIEW_HPP

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

namespace json {

// The place after the string that begins at a quote.
inline std::size_t string_end(std::string_view text, std::size_t quote) {
    std::size_t at = quote + 1;
    while (text[at] != '"') at += text[at] == '\\' ? 2 : 1;
    return at + 1;
}

// The place after the value that begins at `at`.
inline std::size_t end(std::string_view text, std::size_t at) {
    if (text[at] == '"') return string_end(text, at);
    if (text[at] != '{' && text[at] != '[') {
        const std::size_t stop = text.find_first_of(",]} \t\r\n", at);
        return stop == std::string_view::npos ? text.size() : stop;
    }
    std::size_t depth = 0;
    do {
        if (text[at] == '"') {
            at = string_end(text, at);
            continue;
        }
        if (text[at] == '{' || text[at] == '[') depth++;
        if (text[at] == '}' || text[at] == ']') depth--;
        at++;
    } while (depth > 0);
    return at;
}

inline std::size_t skip_blank(std::string_view text, std::size_t at) {
    while (at < text.size() &&
           std::string_view(" \t\r\n:,").find(text[at]) != std::string_view::npos) {
        at++;
    }
    return at;
}

// The value of a plain key of an object.
inline std::string_view member(std::string_view object, std::string_view key) {
    std::size_t at = skip_blank(object, 1);
    while (at < object.size() && object[at] == '"') {
        const std::size_t key_end = string_end(object, at);
        const std::string_view found = object.substr(at + 1, key_end - at - 2);
        const std::size_t value = skip_blank(object, key_end);
        const std::size_t value_end = end(object, value);
        if (found == key) return object.substr(value, value_end - value);
        at = skip_blank(object, value_end);
    }
    return {};
}

// The next element of an array: `at` is 1 at first, and moves behind it. Empty at the end.
inline std::string_view next(std::string_view array, std::size_t &at) {
    const std::size_t begin = skip_blank(array, at);
    if (begin >= array.size() || array[begin] == ']') return {};
    at = end(array, begin);
    return array.substr(begin, at - begin);
}

inline std::int64_t integer(std::string_view value) {
    return std::strtoll(std::string(value).c_str(), nullptr, 10);
}

} // namespace json

#endif
