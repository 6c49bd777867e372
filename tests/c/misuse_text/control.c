/* Texts of misuse_text.c: acting on runs from outside. */
#include "../misuse_text.h"

TEXT_PARAMETER(run_id_of_a_cancel, TOKEN, false) {
    return sw_run_cancel(store, text, len, ABSENT, ERR);
}

TEXT_PARAMETER(reason_of_a_cancel, PAYLOAD, true) {
    return sw_run_cancel(store, NTS(sw_attempt_run_id(attempt, NULL)), text, len, ERR);
}

TEXT_PARAMETER(run_id_of_a_pause, TOKEN, false) { return sw_run_pause(store, text, len, ERR); }

TEXT_PARAMETER(run_id_of_a_resume, TOKEN, false) { return sw_run_resume(store, text, len, ERR); }

TEXT_PARAMETER(run_id_of_a_retry, TOKEN, false) { return sw_run_retry(store, text, len, ERR); }

TEXT_PARAMETER(run_id_of_a_fork, TOKEN, false) {
    char id[SW_ID_CAP] = "untouched";
    int32_t code = sw_run_fork(store, text, len, ABSENT, id, sizeof id, ERR);
    CHECK_TEXT("untouched", id);
    return code;
}

TEXT_PARAMETER(from_step_of_a_fork, NAME_OR_EMPTY, true) {
    char id[SW_ID_CAP] = "untouched";
    const char *run_id = sw_attempt_run_id(attempt, NULL);
    int32_t code = sw_run_fork(store, NTS(run_id), text, len, id, sizeof id, ERR);
    CHECK_TEXT("untouched", id);
    return code;
}
