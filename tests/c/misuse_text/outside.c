/* Texts of misuse_text.c: queues, lists, waits. */
#include "../misuse_text.h"

TEXT_PARAMETER(queue_of_limits, NAME, true) {
    /* Absent is the queue "default", which stays as it is. */
    return sw_queue_set(store, text, len, NTS("{\"concurrency\":9}"), ERR);
}

TEXT_PARAMETER(settings_of_a_queue, PAYLOAD, false) {
    return sw_queue_set(store, ABSENT, text, len, ERR);
}

TEXT_PARAMETER(items_of_a_submit_of_many, PAYLOAD, false) {
    sw_text *out = POISON(sw_text);
    int32_t code = sw_run_submit_many(store, text, len, &out, ERR);
    CHECK(out == NULL);
    return code;
}

TEXT_PARAMETER(queue_of_a_claim_of_many, NAME, true) {
    sw_attempt *none = POISON(sw_attempt);
    uint32_t count = 77;
    int32_t code = sw_run_claim_many(store, text, len, NULL, 1, &none, &count, ERR);
    CHECK(none == NULL);
    return code;
}

TEXT_PARAMETER(run_id_of_a_wait, TOKEN, false) {
    sw_text *out = POISON(sw_text);
    int32_t code = sw_run_wait(store, text, len, 0, NULL, &out, ERR);
    CHECK(out == NULL);
    return code;
}
