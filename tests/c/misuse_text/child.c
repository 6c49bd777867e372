/* Texts of misuse_text.c: children. */
#include "../misuse_text.h"

static int32_t child_given(const char *name, size_t name_len, const char *workflow,
                           size_t workflow_len, const char *args, size_t args_len) {
    char id[SW_ID_CAP];
    return sw_child_submit(attempt, name, name_len, workflow, workflow_len, args, args_len, NULL,
                           id, sizeof id, ERR);
}

TEXT_PARAMETER(name_of_a_child, NAME, false) { return child_given(text, len, NTS("w"), ABSENT); }

TEXT_PARAMETER(workflow_of_a_child, NAME, false) {
    return child_given(NTS("c"), text, len, ABSENT);
}

TEXT_PARAMETER(args_of_a_child, PAYLOAD, true) {
    return child_given(NTS("c"), NTS("w"), text, len);
}

TEXT_PARAMETER(items_of_children, PAYLOAD, false) {
    sw_text *none = POISON(sw_text);
    int32_t code = sw_child_submit_many(attempt, text, len, &none, ERR);
    CHECK(none == NULL);
    return code;
}

TEXT_PARAMETER(run_id_of_an_awaited_child, TOKEN, false) {
    sw_text *none = POISON(sw_text);
    int32_t code = sw_child_await(attempt, text, len, 0, &none, ERR);
    CHECK(none == NULL);
    return code;
}
