/* Schedules in the wrong hands. */
#include "../misuse.h"

ON(STORE, sw_schedule_set) {
    return sw_schedule_set(object, NTS("s"), NTS("{\"workflow\":\"w\",\"every_ms\":3600000}"), err);
}

ON(STORE, sw_schedule_delete) { return sw_schedule_delete(object, NTS("s"), err); }

ON(STORE, sw_schedule_list) {
    sw_text *text = POISON(sw_text);
    int32_t code = sw_schedule_list(object, &text, err);
    return with_text_set_to_null(code, text);
}

WITHOUT_OUTPUT(sw_schedule_list) { return sw_schedule_list(living[STORE], NULL, err); }
