/* Children in the wrong hands. */
#include "../misuse.h"

#define ITEMS "[{\"name\":\"c\",\"workflow\":\"w\"}]"

ON(ATTEMPT, sw_child_submit) {
    char id[SW_ID_CAP];
    return sw_child_submit(object, NTS("c"), NTS("w"), ABSENT, NULL, id, sizeof id, err);
}

ON(ATTEMPT, sw_child_submit_many) {
    sw_text *text = POISON(sw_text);
    int32_t code = sw_child_submit_many(object, NTS(ITEMS), &text, err);
    return with_text_set_to_null(code, text);
}

ON(ATTEMPT, sw_child_await) {
    sw_text *text = POISON(sw_text);
    int32_t code = sw_child_await(object, NTS("c"), 0, &text, err);
    return with_text_set_to_null(code, text);
}

WITHOUT_OUTPUT(sw_child_submit_many) {
    return sw_child_submit_many(living[ATTEMPT], NTS(ITEMS), NULL, err);
}

WITHOUT_OUTPUT(sw_child_await) { return sw_child_await(living[ATTEMPT], NTS("c"), 0, NULL, err); }

WITH_ROOM(sw_child_submit) {
    return sw_child_submit(living[ATTEMPT], NTS("c"), NTS("w"), ABSENT, NULL, out_id, cap, err);
}
