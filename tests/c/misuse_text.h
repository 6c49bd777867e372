/*
 * The table of texts: every text parameter of every function has a row, which hands a text over, all
 * else being right. Rows stand in misuse_text/<topic>.c; misuse_text.c says what they are handed.
 */
#ifndef SMOLWF_TESTS_MISUSE_TEXT_H
#define SMOLWF_TESTS_MISUSE_TEXT_H

#include "support.h"

/* What the calls are made on; nothing may have happened to it at the end of a test. */
extern sw_store *store;
extern sw_attempt *attempt;
extern sw_step *step;

/* A token is what the library gave out: an id, a cursor. */
enum text_class { NAME, NAME_OR_EMPTY, KEY, TOKEN, PREFIX, PAYLOAD };

/* One text parameter of one function; `call` hands it over, all else being right. */
struct text_parameter {
    const char *name;
    enum text_class is;
    bool may_be_absent;
    int32_t (*call)(const char *text, size_t len);
    struct text_parameter *next;
};

void add_text_parameter(struct text_parameter *parameter);

#define TEXT_PARAMETER(name, class, may_be_absent)                                                 \
    static int32_t give_##name(const char *text, size_t len);                                      \
    __attribute__((constructor)) static void add_##name(void) {                                    \
        static struct text_parameter parameter = {#name, class, may_be_absent, give_##name, NULL}; \
        add_text_parameter(&parameter);                                                            \
    }                                                                                              \
    static int32_t give_##name(const char *text, size_t len)

/* A claim and a begin that check that their outputs became NULL. */
int32_t claim_given(const char *queue, size_t queue_len, const sw_claim_options *options);
int32_t begin_given(const char *name, size_t name_len, const char *input, size_t input_len,
                    const sw_step_options *options);

#endif
