/* How programs that are measured call the library: whatever is not answered as it should be ends them. */
#ifndef SMOLWF_TESTS_CALL_H
#define SMOLWF_TESTS_CALL_H

#include <smolwf.h>

#include <stdio.h>
#include <stdlib.h>

static void ok(int is_good, const char *what, sw_error *err) {
    if (is_good) return;
    fprintf(stderr, "%s: %s\n", what, err == NULL ? "no" : sw_error_message(err));
    exit(1);
}

#define CALL(wanted, function, ...)                                                                \
    do {                                                                                           \
        sw_error *err = NULL;                                                                      \
        int32_t code = function(__VA_ARGS__, &err);                                                \
        ok(code == (wanted), #function, err);                                                      \
    } while (0)

#endif
