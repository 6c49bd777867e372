/* Texts of misuse_text.c: budgets. */
#include "../misuse_text.h"

#define STRANGER "budget_00000000000000000000000000"

static int32_t reserve_given(const char *amounts, size_t amounts_len, const char *source,
                             size_t source_len) {
    char id[SW_ID_CAP] = "untouched";
    int32_t code = sw_budget_reserve(attempt, NULL, amounts, amounts_len, source, source_len, id,
                                     sizeof id, ERR);
    CHECK_TEXT("untouched", id);
    return code;
}

TEXT_PARAMETER(amounts_of_a_reserve, PAYLOAD, false) { return reserve_given(text, len, ABSENT); }

TEXT_PARAMETER(source_of_a_reserve, KEY, true) {
    return reserve_given(NTS("{\"tokens\":1}"), text, len);
}

TEXT_PARAMETER(id_of_a_settle, TOKEN, false) {
    return sw_budget_settle(store, text, len, NTS("{}"), ERR);
}

TEXT_PARAMETER(usage_of_a_settle, PAYLOAD, false) {
    return sw_budget_settle(store, NTS(STRANGER), text, len, ERR);
}

TEXT_PARAMETER(run_of_a_raise, TOKEN, false) {
    return sw_budget_raise(store, text, len, NTS("tokens"), 1, ERR);
}

TEXT_PARAMETER(unit_of_a_raise, NAME, false) {
    return sw_budget_raise(store, NTS("run_x"), text, len, 1, ERR);
}

TEXT_PARAMETER(run_of_a_budget, TOKEN, false) {
    sw_text *none = POISON(sw_text);
    int32_t code = sw_budget_get(store, text, len, &none, ERR);
    CHECK(none == NULL);
    return code;
}

TEXT_PARAMETER(result_of_a_step_with_usage, PAYLOAD, true) {
    return sw_step_complete_usage(step, text, len, NTS("{}"), ERR);
}

TEXT_PARAMETER(usage_of_a_step, PAYLOAD, false) {
    return sw_step_complete_usage(step, NTS("1"), text, len, ERR);
}
