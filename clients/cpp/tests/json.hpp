/* Reads JSON into values, for the suites. A text keeps its escapes: what is written is what was read. */
#ifndef SMOLWF_TESTS_JSON_HPP
#define SMOLWF_TESTS_JSON_HPP

#include <cstdlib>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

struct json {
    enum kind { scalar, string, array, object };
    kind is = scalar;
    /** A scalar's or a string's text, without quotes. */
    std::string text = "null";
    std::vector<json> items;
    std::vector<std::pair<std::string, json>> members;

    static json read(std::string_view from) {
        size_t at = 0;
        return value(from, at);
    }
    const json *find(std::string_view key) const {
        for (const auto &[name, value] : members) {
            if (name == key) return &value;
        }
        return nullptr;
    }
    bool has(std::string_view key) const { return find(key) != nullptr; }
    const json &operator[](std::string_view key) const {
        static const json none;
        const json *found = find(key);
        return found == nullptr ? none : *found;
    }
    bool is_null() const { return is == scalar && text == "null"; }
    int number(int otherwise = 0) const { return is_null() ? otherwise : std::atoi(text.c_str()); }
    std::string write() const {
        std::string out;
        if (is == scalar) return text;
        if (is == string) return "\"" + text + "\"";
        for (const json &item : items) out += (out.empty() ? "" : ",") + item.write();
        for (const auto &[name, value] : members) {
            out += (out.empty() ? "\"" : ",\"") + name + "\":" + value.write();
        }
        return is == array ? "[" + out + "]" : "{" + out + "}";
    }

  private:
    static void skip(std::string_view from, size_t &at) {
        while (at < from.size() && std::string_view(" \t\r\n,:").find(from[at]) != from.npos) at++;
    }
    static std::string quoted(std::string_view from, size_t &at) {
        const size_t begin = ++at;
        while (from.at(at) != '"') at += from[at] == '\\' ? 2 : 1;
        return std::string(from.substr(begin, at++ - begin));
    }
    static json value(std::string_view from, size_t &at) {
        json read;
        skip(from, at);
        const char first = from.at(at);
        if (first == '"') {
            read.is = string, read.text = quoted(from, at);
        } else if (first == '[' || first == '{') {
            read.is = first == '[' ? array : object;
            for (skip(from, ++at); from.at(at) != ']' && from.at(at) != '}'; skip(from, at)) {
                if (read.is == array) {
                    read.items.push_back(value(from, at));
                } else {
                    std::string name = quoted(from, at);
                    read.members.emplace_back(std::move(name), value(from, at));
                }
            }
            at++;
        } else {
            const size_t end = std::min(from.find_first_of(",]} \t\r\n", at), from.size());
            read.text = std::string(from.substr(at, end - at));
            at = end;
        }
        return read;
    }
};

#endif
