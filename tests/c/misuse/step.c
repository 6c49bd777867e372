/* Steps in the wrong hands. */
#include "../misuse.h"

ON_VIEW(STEP, sw_step_id)
ON_VIEW(STEP, sw_step_name)
ON_VIEW(STEP, sw_step_result)
ON_VIEW(STEP, sw_step_error)
ON_NUMBER(STEP, sw_step_occurrence)
ON_NUMBER(STEP, sw_step_tries)
ON_NUMBER(STEP, sw_step_retry_at_ms)
ON_FREE(STEP, sw_step_free)

ON(ATTEMPT, sw_step_begin) {
    sw_step *step = POISON(sw_step);
    int32_t code = sw_step_begin(object, NTS("s"), ABSENT, NULL, &step, err);
    CHECK(step == NULL);
    return code;
}

ON(STEP, sw_step_complete) { return sw_step_complete(object, NTS("2"), err); }

ON(STEP, sw_step_fail) { return sw_step_fail(object, NTS("2"), NULL, err); }

WITHOUT_OUTPUT(sw_step_begin) {
    return sw_step_begin(living[ATTEMPT], NTS("s"), ABSENT, NULL, NULL, err);
}
