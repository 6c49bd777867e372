/* Texts of misuse_text.c: submitting, finding and claiming. */
#include "../misuse_text.h"

static int32_t submit_given(const char *workflow, size_t workflow_len, const char *args,
                            size_t args_len, const sw_submit_options *options) {
    char id[SW_ID_CAP] = "untouched";
    int32_t code =
        sw_run_submit(store, workflow, workflow_len, args, args_len, options, id, sizeof id, ERR);
    CHECK_TEXT("untouched", id);
    return code;
}

int32_t claim_given(const char *queue, size_t queue_len, const sw_claim_options *options) {
    sw_attempt *none = POISON(sw_attempt);
    int32_t code = sw_run_claim(store, queue, queue_len, options, &none, ERR);
    CHECK(none == NULL);
    return code;
}

TEXT_PARAMETER(workflow_of_a_submit, NAME, false) { return submit_given(text, len, ABSENT, NULL); }

TEXT_PARAMETER(args_of_a_submit, PAYLOAD, true) { return submit_given(NTS("w"), text, len, NULL); }

#define SUBMIT_FIELD(field, class)                                                                 \
    TEXT_PARAMETER(field##_of_a_submit, class, true) {                                             \
        sw_submit_options options = submit_options();                                              \
        options.idempotency_key = "k";                                                             \
        options.idempotency_key_len = 1;                                                           \
        options.field = text;                                                                      \
        options.field##_len = len;                                                                 \
        return submit_given(NTS("w"), ABSENT, &options);                                           \
    }

SUBMIT_FIELD(queue, NAME)
SUBMIT_FIELD(idempotency_key, KEY)
SUBMIT_FIELD(idempotency_scope, KEY)
SUBMIT_FIELD(concurrency_key, KEY)
SUBMIT_FIELD(code_version, NAME)
SUBMIT_FIELD(budget, PAYLOAD)
SUBMIT_FIELD(metadata, PAYLOAD)

TEXT_PARAMETER(queue_of_a_claim, NAME, true) { return claim_given(text, len, NULL); }

#define CLAIM_FIELD(field, class)                                                                  \
    TEXT_PARAMETER(field##_of_a_claim, class, true) {                                              \
        sw_claim_options options = claim_options();                                                \
        options.field = text;                                                                      \
        options.field##_len = len;                                                                 \
        return claim_given(ABSENT, &options);                                                      \
    }

CLAIM_FIELD(worker, NAME)
CLAIM_FIELD(workflows, PAYLOAD)
CLAIM_FIELD(code_versions, PAYLOAD)

TEXT_PARAMETER(scope_of_a_find, KEY, true) {
    char id[SW_ID_CAP] = "untouched";
    int32_t code = sw_run_find(store, text, len, NTS("k"), id, sizeof id, ERR);
    CHECK_TEXT("untouched", id);
    return code;
}

TEXT_PARAMETER(key_of_a_find, KEY, false) {
    char id[SW_ID_CAP] = "untouched";
    int32_t code = sw_run_find(store, ABSENT, text, len, id, sizeof id, ERR);
    CHECK_TEXT("untouched", id);
    return code;
}
