#include "support.h"

#include "reader.h"

#include <ctype.h>
#include <errno.h>

struct cursor {
    const char *at;
    int depth;
};

static struct value *read_value(struct cursor *cursor);

static void skip_space(struct cursor *cursor) {
    while (*cursor->at != '\0' && strchr(" \t\r\n", *cursor->at) != NULL) cursor->at++;
}

static bool take(struct cursor *cursor, const char *text) {
    size_t len = strlen(text);
    if (strncmp(cursor->at, text, len) != 0) return false;
    cursor->at += len;
    return true;
}

static int hex_value(char digit) {
    if (digit >= '0' && digit <= '9') return digit - '0';
    if (digit >= 'a' && digit <= 'f') return digit - 'a' + 10;
    if (digit >= 'A' && digit <= 'F') return digit - 'A' + 10;
    return -1;
}

/* Four hexadecimal digits, or -1. */
static long read_unit(struct cursor *cursor) {
    long unit = 0;
    for (int i = 0; i < 4; i++) {
        int digit = hex_value(*cursor->at);
        if (digit < 0) return -1;
        unit = unit * 16 + digit;
        cursor->at++;
    }
    return unit;
}

static void put_utf8(char *out, size_t *len, long scalar) {
    static const int leads[] = {0x00, 0xc0, 0xe0, 0xf0};
    int tail = scalar < 0x80 ? 0 : scalar < 0x800 ? 1 : scalar < 0x10000 ? 2 : 3;
    out[(*len)++] = (char)(leads[tail] | (scalar >> (6 * tail)));
    while (tail-- > 0) out[(*len)++] = (char)(0x80 | ((scalar >> (6 * tail)) & 0x3f));
}

/* The part of an escape after its backslash. */
static bool read_escape(struct cursor *cursor, char *out, size_t *len) {
    static const char names[] = "\"\\/bfnrt";
    static const char meanings[] = "\"\\/\b\f\n\r\t";
    char name = *cursor->at;
    if (name == '\0') return false;
    cursor->at++;
    if (name != 'u') {
        const char *found = strchr(names, name);
        if (found == NULL) return false;
        out[(*len)++] = meanings[found - names];
        return true;
    }
    long unit = read_unit(cursor);
    if (unit < 0) return false;
    if (unit >= 0xd800 && unit < 0xdc00 && take(cursor, "\\u")) {
        long low = read_unit(cursor);
        if (low < 0xdc00 || low > 0xdfff) return false;
        unit = 0x10000 + ((unit - 0xd800) << 10) + (low - 0xdc00);
    }
    put_utf8(out, len, unit);
    return true;
}

/* The text after its opening quote; NULL when it does not end well. */
static char *read_text(struct cursor *cursor, size_t *out_len) {
    size_t room = 1;
    for (const char *c = cursor->at; *c != '\0' && *c != '"'; c++) {
        room++;
        if (*c == '\\' && c[1] != '\0') c++, room++;
    }
    char *out = lend(room);
    size_t len = 0;
    while (*cursor->at != '"') {
        if ((unsigned char)*cursor->at < 0x20) return NULL;
        if (*cursor->at != '\\') {
            out[len++] = *cursor->at++;
            continue;
        }
        cursor->at++;
        if (!read_escape(cursor, out, &len)) return NULL;
    }
    cursor->at++;
    out[len] = '\0';
    *out_len = len;
    return out;
}

static bool read_number(struct cursor *cursor, struct value *value) {
    char *end = NULL;
    if (*cursor->at != '-' && !isdigit((unsigned char)*cursor->at)) return false;
    (void)strtod(cursor->at, &end);
    if (end == cursor->at) return false;
    errno = 0;
    char *integer_end = NULL;
    value->integer = strtoll(cursor->at, &integer_end, 10);
    value->is_integer = integer_end == end && errno == 0;
    value->kind = VALUE_NUMBER;
    cursor->at = end;
    return true;
}

static void add_item(struct value *value, char *key, struct value *item) {
    /* Grown by powers of two: room is full exactly when the count is one. */
    if ((value->count & (value->count - 1)) == 0) {
        size_t room = value->count == 0 ? 1 : value->count * 2;
        struct value **items = lend(room * sizeof *items);
        char **keys = lend(room * sizeof *keys);
        if (value->count > 0) {
            memcpy(items, value->items, value->count * sizeof *items);
            memcpy(keys, value->keys, value->count * sizeof *keys);
        }
        value->items = items;
        value->keys = keys;
    }
    value->keys[value->count] = key;
    value->items[value->count++] = item;
}

/* The members after the opening bracket or brace. */
static bool read_members(struct cursor *cursor, struct value *value) {
    bool is_object = value->kind == VALUE_OBJECT;
    const char *close = is_object ? "}" : "]";
    skip_space(cursor);
    if (take(cursor, close)) return true;
    do {
        char *key = NULL;
        size_t key_len = 0;
        skip_space(cursor);
        if (is_object) {
            if (!take(cursor, "\"") || (key = read_text(cursor, &key_len)) == NULL) return false;
            skip_space(cursor);
            if (!take(cursor, ":")) return false;
        }
        struct value *item = read_value(cursor);
        if (item == NULL) return false;
        add_item(value, key, item);
        skip_space(cursor);
    } while (take(cursor, ","));
    return take(cursor, close);
}

static bool read_into(struct cursor *cursor, struct value *value) {
    if (take(cursor, "null")) return true;
    if (take(cursor, "false")) return value->kind = VALUE_FALSE, true;
    if (take(cursor, "true")) return value->kind = VALUE_TRUE, true;
    if (take(cursor, "\"")) {
        value->kind = VALUE_TEXT;
        value->text = read_text(cursor, &value->text_len);
        return value->text != NULL;
    }
    if (take(cursor, "[")) return value->kind = VALUE_ARRAY, read_members(cursor, value);
    if (take(cursor, "{")) return value->kind = VALUE_OBJECT, read_members(cursor, value);
    return read_number(cursor, value);
}

static struct value *read_value(struct cursor *cursor) {
    struct value *value = lend(sizeof *value);
    if (++cursor->depth > 200) return NULL;
    skip_space(cursor);
    value->raw = cursor->at;
    if (!read_into(cursor, value)) return NULL;
    value->raw_len = (size_t)(cursor->at - value->raw);
    cursor->depth--;
    return value;
}

struct value *value_read(const char *text) {
    struct cursor cursor = {text, 0};
    if (text == NULL) return NULL;
    struct value *value = read_value(&cursor);
    skip_space(&cursor);
    return value != NULL && *cursor.at == '\0' ? value : NULL;
}

struct value *value_at(const struct value *array, size_t index) {
    return array != NULL && index < array->count ? array->items[index] : NULL;
}

struct value *value_in(const struct value *object, const char *key) {
    if (object == NULL || object->kind != VALUE_OBJECT) return NULL;
    for (size_t i = 0; i < object->count; i++) {
        if (strcmp(object->keys[i], key) == 0) return object->items[i];
    }
    return NULL;
}

const char *text_in(const struct value *object, const char *key) {
    const struct value *value = value_in(object, key);
    return value != NULL && value->kind == VALUE_TEXT ? value->text : NULL;
}

bool is_null_in(const struct value *object, const char *key) {
    const struct value *value = value_in(object, key);
    return value != NULL && value->kind == VALUE_NULL;
}

void check_keys(const char *file, int line, const struct value *object, const char *const *keys,
                size_t count) {
    if (object == NULL || object->kind != VALUE_OBJECT) {
        fail_at(file, line, "not an object");
        return;
    }
    for (size_t i = 0; i < count; i++) {
        if (value_in(object, keys[i]) == NULL) fail_at(file, line, "key %s is missing", keys[i]);
    }
    for (size_t i = 0; i < object->count; i++) {
        bool is_known = false;
        for (size_t j = 0; j < count; j++) is_known |= strcmp(object->keys[i], keys[j]) == 0;
        if (!is_known) fail_at(file, line, "key %s is not in the contract", object->keys[i]);
    }
    if (object->count != count) {
        fail_at(file, line, "%zu keys instead of %zu", object->count, count);
    }
}

void check_int_in(const char *file, int line, long long expected, const struct value *object,
                  const char *key) {
    const struct value *value = value_in(object, key);
    if (value == NULL || !value->is_integer) {
        fail_at(file, line, "%s is not an integer", key);
        return;
    }
    check_int(file, line, key, expected, value->integer);
}

void check_raw_in(const char *file, int line, const char *expected, const struct value *object,
                  const char *key) {
    const struct value *value = value_in(object, key);
    if (value == NULL) {
        fail_at(file, line, "%s is not there", key);
        return;
    }
    check_bytes(file, line, key, expected, strlen(expected), value->raw, value->raw_len);
}
