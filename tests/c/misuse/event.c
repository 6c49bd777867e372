/* Events in the wrong hands. */
#include "../misuse.h"

ON(ATTEMPT, sw_event_append) { return sw_event_append(object, NTS("said"), ABSENT, ABSENT, err); }

ON(STORE, sw_event_read) {
    sw_text *text = POISON(sw_text);
    int32_t code = sw_event_read(object, 0, ABSENT, 0, &text, err);
    return with_text_set_to_null(code, text);
}

ON(STORE, sw_event_wait) {
    sw_text *text = POISON(sw_text);
    int32_t code = sw_event_wait(object, 0, ABSENT, 0, 0, NULL, &text, err);
    CHECK(text == NULL);
    return code;
}
WITHOUT_OUTPUT(sw_event_wait) {
    return sw_event_wait(living[STORE], 0, ABSENT, 0, 0, NULL, NULL, err);
}

WITHOUT_OUTPUT(sw_event_read) { return sw_event_read(living[STORE], 0, ABSENT, 0, NULL, err); }
