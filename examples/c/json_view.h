/* Looks into JSON that smolwf handed out, without copying it. Such text is valid, so nothing is
 * checked here: do not use this on text from elsewhere. A value is a pointer to its first byte;
 * NULL stands for a value that is not there. */
#ifndef EXAMPLE_JSON_VIEW_H
#define EXAMPLE_JSON_VIEW_H

#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

static inline const char *json_blank(const char *at) { return at + strspn(at, " \t\r\n"); }

static inline const char *json_string_end(const char *quote) {
    const char *at = quote + 1;
    while (*at != '"') at += *at == '\\' ? 2 : 1;
    return at + 1;
}

/* Returns the byte after a value. */
static inline const char *json_end(const char *value) {
    if (*value == '"') return json_string_end(value);
    if (*value != '{' && *value != '[') return value + strcspn(value, ",]} \t\r\n");
    size_t depth = 0;
    do {
        if (*value == '"') {
            value = json_string_end(value);
            continue;
        }
        if (*value == '{' || *value == '[') depth++;
        if (*value == '}' || *value == ']') depth--;
        value++;
    } while (depth > 0);
    return value;
}

/* Returns the first element of an array or the first key of an object. */
static inline const char *json_first(const char *list) {
    if (list == NULL || (*list != '[' && *list != '{')) return NULL;
    const char *at = json_blank(list + 1);
    return *at == ']' || *at == '}' ? NULL : at;
}

/* Returns the element, or the key, that follows a value. */
static inline const char *json_next(const char *value) {
    const char *at = json_blank(json_end(value));
    return *at == ',' ? json_blank(at + 1) : NULL;
}

/* Returns the value of a plain key of an object. */
static inline const char *json_member(const char *object, const char *key) {
    size_t length = strlen(key);
    const char *at = json_first(object);
    while (at != NULL) {
        const char *colon = json_blank(json_string_end(at));
        const char *value = json_blank(colon + 1);
        if (strncmp(at + 1, key, length) == 0 && at[1 + length] == '"') return value;
        at = json_next(value);
    }
    return NULL;
}

static inline int64_t json_integer(const char *value, int64_t absent) {
    return value == NULL || *value == 'n' ? absent : strtoll(value, NULL, 10);
}

/* Copies a value, a string without its quotes, and cuts it at a whole character. */
static inline const char *json_show(const char *value, char *out, size_t cap) {
    size_t length = 0;
    if (value != NULL && *value == '"') {
        length = (size_t)(json_string_end(value) - value) - 2;
        value++;
    } else if (value != NULL && *value != 'n') {
        length = (size_t)(json_end(value) - value);
    }
    if (length >= cap) {
        length = cap - 1;
        while (length > 0 && ((unsigned char)value[length] & 0xC0) == 0x80) length--;
    }
    if (length > 0) memcpy(out, value, length);
    out[length] = '\0';
    return out;
}

#endif
