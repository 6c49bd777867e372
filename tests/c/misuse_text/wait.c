/* Texts of misuse_text.c: waiting. */
#include "../misuse_text.h"

TEXT_PARAMETER(name_of_a_sleep, NAME, false) { return sw_sleep(attempt, text, len, 0, ERR); }

static int32_t any_given(const char *name, size_t name_len, const char *waits, size_t waits_len) {
    sw_text *none = POISON(sw_text);
    int32_t code = sw_await_any(attempt, name, name_len, waits, waits_len, 0, &none, ERR);
    CHECK(none == NULL);
    return code;
}

static int32_t all_given(const char *name, size_t name_len, const char *waits, size_t waits_len) {
    sw_text *none = POISON(sw_text);
    int32_t code = sw_await_all(attempt, name, name_len, waits, waits_len, 0, &none, ERR);
    CHECK(none == NULL);
    return code;
}

TEXT_PARAMETER(name_of_any, NAME, false) { return any_given(text, len, NTS("[{\"sleep_ms\":0}]")); }

TEXT_PARAMETER(waits_of_any, PAYLOAD, false) { return any_given(NTS("a"), text, len); }

TEXT_PARAMETER(name_of_all, NAME, false) { return all_given(text, len, NTS("[{\"sleep_ms\":0}]")); }

TEXT_PARAMETER(waits_of_all, PAYLOAD, false) { return all_given(NTS("a"), text, len); }
