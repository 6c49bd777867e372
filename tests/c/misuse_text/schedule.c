/* Texts of misuse_text.c: schedules. */
#include "../misuse_text.h"

#define HOURLY "{\"workflow\":\"w\",\"every_ms\":3600000}"

TEXT_PARAMETER(name_of_a_schedule_set, NAME, false) {
    return sw_schedule_set(store, text, len, NTS(HOURLY), ERR);
}

TEXT_PARAMETER(spec_of_a_schedule_set, PAYLOAD, false) {
    return sw_schedule_set(store, NTS("s"), text, len, ERR);
}

TEXT_PARAMETER(name_of_a_schedule_delete, NAME, false) {
    return sw_schedule_delete(store, text, len, ERR);
}
