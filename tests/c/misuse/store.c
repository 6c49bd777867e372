/* Stores in the wrong hands. */
#include "../misuse.h"

ON(STORE, sw_store_init) {
    uint32_t applied = 77;
    int32_t code = sw_store_init(object, &applied, err);
    CHECK_INT(77, applied);
    return code;
}

ON(STORE, sw_store_migrate) {
    uint32_t applied = 77;
    int32_t code = sw_store_migrate(object, 1, &applied, err);
    CHECK_INT(77, applied);
    return code;
}

ON(STORE, sw_store_schema_version) {
    int64_t current = 77, newest = 78;
    int32_t code = sw_store_schema_version(object, &current, &newest, err);
    CHECK(current == 77 && newest == 78);
    return code;
}

ON(STORE, sw_store_migrations) {
    sw_text *text = POISON(sw_text);
    int32_t code = sw_store_migrations(object, &text, err);
    return with_text_set_to_null(code, text);
}

ON(STORE, sw_store_path) {
    (void)err;
    CHECK(sw_store_path(object) == NULL);
    return NO_CODE;
}

ON(STORE, sw_store_kill_at) { return sw_store_kill_at(object, 0, SW_KILL_AFTER_COMMIT, err); }

ON(STORE, sw_store_advance_clock) { return sw_store_advance_clock(object, 1, err); }

ON(STORE, sw_store_now_ms) {
    (void)err;
    CHECK(sw_store_now_ms(object) <= 0);
    return NO_CODE;
}

ON(STORE, sw_store_shutdown) {
    (void)err;
    sw_store_shutdown(object);
    return NO_CODE;
}

ON(STORE, sw_store_close) {
    (void)err;
    sw_store_close(object);
    return NO_CODE;
}

WITHOUT_OUTPUT(sw_store_open) { return sw_store_open(temp_path("new.db"), NULL, NULL, err); }

WITHOUT_OUTPUT(sw_store_open_in_memory) { return sw_store_open_in_memory(NULL, NULL, err); }

WITHOUT_OUTPUT(sw_store_init) { return sw_store_init(living[STORE], NULL, err); }

WITHOUT_OUTPUT(sw_store_migrate) { return sw_store_migrate(living[STORE], 1, NULL, err); }

WITHOUT_OUTPUT(sw_store_schema_version) {
    int64_t number = 77;
    CHECK_INT(SW_ERR_MISUSE, sw_store_schema_version(living[STORE], NULL, &number, NULL));
    int32_t code = sw_store_schema_version(living[STORE], &number, NULL, err);
    CHECK_INT(77, number);
    return code;
}

WITHOUT_OUTPUT(sw_store_migrations) { return sw_store_migrations(living[STORE], NULL, err); }
