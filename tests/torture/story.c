#include "story.h"

#include "smolwf.h"

#include <stdlib.h>
#include <string.h>

static void *zeroed(size_t count, size_t bytes) {
    void *memory = calloc(count + 1, bytes);
    if (memory == NULL) abort();
    return memory;
}

static void tell(struct story *story, const struct record *record, int at) {
    if (record->kind < RECORD_BEGIN || record->kind > RECORD_ANSWER) return;
    struct call *call = &story->calls[record->node];
    if (record->kind == RECORD_BEGIN) {
        *call = (struct call){DATA(record), at, -1, 0, record->code, 0};
    } else if (record->kind == RECORD_FACT) {
        const char *sql = DATA(record);
        call->has_facts = 1;
        story->facts[story->facts_len++] = (struct fact){sql, sql + strlen(sql) + 1, record->node};
    } else {
        call->answer = at;
        call->code = record->code;
    }
}

struct story story_read(const struct control *control, uint64_t from) {
    struct story story = {0};
    size_t count = 0;
    for (uint64_t at = from; at < control->used; count++) {
        at += ((const struct record *)(control->log + at))->bytes;
    }
    story.records = zeroed(count, sizeof *story.records);
    story.facts = zeroed(count, sizeof *story.facts);
    story.calls_len = control->calls;
    story.calls = zeroed(control->calls, sizeof *story.calls);
    for (uint64_t at = from; at < control->used;) {
        const struct record *record = (const struct record *)(control->log + at);
        story.records[story.len] = record;
        tell(&story, record, story.len);
        story.len++;
        at += record->bytes;
    }
    return story;
}

void story_free(struct story *story) {
    free(story->records);
    free(story->calls);
    free(story->facts);
}

int story_is_done(const struct story *story, uint32_t call, int at) {
    const struct call *it = &story->calls[call];
    return it->answer >= 0 && it->answer <= at && it->code >= 0;
}

int story_is_safe(const struct story *story, uint32_t call, int at, int is_kill) {
    if (!story_is_done(story, call, at)) return 0;
    const struct call *it = &story->calls[call];
    return is_kill || !it->is_process || it->answer < story_floor(story, at, 0);
}

int story_floor(const struct story *story, int at, int is_kill) {
    int floor = 0;
    for (uint32_t call = 1; call <= story->calls_len; call++) {
        const struct call *it = &story->calls[call];
        if (!it->has_facts || !story_is_done(story, call, at) || (it->is_process && !is_kill))
            continue;
        int place = story->has_threads ? it->begin : it->answer;
        if (place > floor) floor = place;
    }
    return floor;
}
