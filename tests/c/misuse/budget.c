/* Budgets in the wrong hands. */
#include "../misuse.h"

#define STRANGER "budget_00000000000000000000000000"

ON(ATTEMPT, sw_budget_reserve) {
    char id[SW_ID_CAP] = "untouched";
    int32_t code =
        sw_budget_reserve(object, NULL, NTS("{\"tokens\":1}"), ABSENT, id, sizeof id, err);
    CHECK_TEXT("untouched", id);
    return code;
}

ON(STORE, sw_budget_settle) { return sw_budget_settle(object, NTS(STRANGER), NTS("{}"), err); }

ON(STORE, sw_budget_raise) { return sw_budget_raise(object, NTS("run_x"), NTS("tokens"), 1, err); }

ON(STORE, sw_budget_get) {
    sw_text *text = POISON(sw_text);
    int32_t code = sw_budget_get(object, NTS("run_x"), &text, err);
    return with_text_set_to_null(code, text);
}

ON(STEP, sw_step_complete_usage) {
    return sw_step_complete_usage(object, NTS("2"), NTS("{}"), err);
}

WITH_ROOM(sw_budget_reserve) {
    return sw_budget_reserve(living[ATTEMPT], NULL, NTS("{\"tokens\":1}"), ABSENT, out_id, cap,
                             err);
}

WITHOUT_OUTPUT(sw_budget_get) {
    return sw_budget_get(living[STORE], NTS(sw_attempt_run_id(living[ATTEMPT], NULL)), NULL, err);
}
