/* Texts of misuse_text.c: events. */
#include "../misuse_text.h"

TEXT_PARAMETER(type_of_an_event, NAME, false) {
    return sw_event_append(attempt, text, len, ABSENT, ABSENT, ERR);
}

TEXT_PARAMETER(payload_of_an_event, PAYLOAD, true) {
    return sw_event_append(attempt, NTS("said"), text, len, ABSENT, ERR);
}

TEXT_PARAMETER(key_of_an_event, KEY, true) {
    return sw_event_append(attempt, NTS("said"), ABSENT, text, len, ERR);
}

TEXT_PARAMETER(run_of_a_read_of_events, TOKEN, true) {
    sw_text *none = POISON(sw_text);
    int32_t code = sw_event_read(store, 0, text, len, 0, &none, ERR);
    CHECK(none == NULL);
    return code;
}

TEXT_PARAMETER(filter_of_a_wait_for_events, PAYLOAD, true) {
    sw_text *none = POISON(sw_text);
    int32_t code = sw_event_wait(store, 0, text, len, 0, 0, NULL, &none, ERR);
    CHECK(none == NULL);
    return code;
}
