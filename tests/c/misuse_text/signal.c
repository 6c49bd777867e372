/* Texts of misuse_text.c: messages. */
#include "../misuse_text.h"

static int32_t send_given(const char *name, size_t name_len, const char *payload,
                          size_t payload_len, const char *key, size_t key_len) {
    return sw_signal_send(store, NTS(sw_attempt_run_id(attempt, NULL)), name, name_len, payload,
                          payload_len, key, key_len, ERR);
}

TEXT_PARAMETER(run_id_of_a_message, TOKEN, false) {
    return sw_signal_send(store, text, len, NTS("s"), ABSENT, ABSENT, ERR);
}

TEXT_PARAMETER(name_of_a_message, NAME, false) { return send_given(text, len, ABSENT, ABSENT); }

TEXT_PARAMETER(payload_of_a_message, PAYLOAD, true) {
    return send_given(NTS("s"), text, len, ABSENT);
}

TEXT_PARAMETER(key_of_a_message, KEY, true) { return send_given(NTS("s"), ABSENT, text, len); }

TEXT_PARAMETER(name_of_an_awaited_message, NAME, false) {
    sw_text *none = POISON(sw_text);
    int32_t code = sw_signal_await(attempt, text, len, 0, &none, ERR);
    CHECK(none == NULL);
    return code;
}
