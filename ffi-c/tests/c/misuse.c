/*
 * Everything that a caller can do wrong and that the library promises to answer, with the plan
 * `good` (16-bit samples, features) and the plan `bytes` (8-bit samples).
 */
#include "bytes.h"
#include "good.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int failures;

#define EXPECT(expected, call)                                                                     \
    do {                                                                                           \
        const long got_ = (long)(call);                                                            \
        if (got_ != (long)(expected)) {                                                            \
            printf("line %d: %s is %ld, not %s\n", __LINE__, #call, got_, #expected);              \
            failures++;                                                                            \
        }                                                                                          \
    } while (0)

OTO_ALIGNED(16) static uint8_t arena[GOOD_ARENA_LEN + 64];
OTO_ALIGNED(16) static uint8_t other_arena[GOOD_ARENA_LEN];
OTO_ALIGNED(16) static uint8_t plan_copy[GOOD_PLAN_LEN + GOOD_ARENA_LEN + 64];
OTO_ALIGNED(8) static uint8_t bytes_arena[BYTES_ARENA_LEN];
static int16_t noise[4000];

static oto_status init(oto_runner *runner, const uint8_t *plan, size_t plan_len, void *memory,
                       size_t memory_len)
{
    return oto_runner_init(runner, plan, plan_len, GOOD_OPS, GOOD_N_OPS, memory, memory_len);
}

static oto_status init_good(oto_runner *runner)
{
    return init(runner, GOOD_PLAN, GOOD_PLAN_LEN, arena, GOOD_ARENA_LEN);
}

static void make_noise(void)
{
    uint32_t state = 1;
    size_t i;
    for (i = 0; i < sizeof noise / sizeof noise[0]; i++) {
        state = state * 1664525u + 1013904223u;
        noise[i] = (int16_t)((int32_t)(state >> 17) - 16384);
    }
}

static void null_pointers(void)
{
    static oto_runner runner;
    static const oto_op *const holes[1] = {NULL};
    oto_plan_info info;
    oto_event event;
    size_t used;

    EXPECT(OTO_ERR_NULL, oto_plan_info_get(NULL, GOOD_PLAN_LEN, &info));
    EXPECT(OTO_ERR_NULL, oto_plan_info_get(GOOD_PLAN, GOOD_PLAN_LEN, NULL));
    EXPECT(OTO_ERR_NULL, init(NULL, GOOD_PLAN, GOOD_PLAN_LEN, arena, GOOD_ARENA_LEN));
    EXPECT(OTO_ERR_NULL, init(&runner, NULL, GOOD_PLAN_LEN, arena, GOOD_ARENA_LEN));
    EXPECT(OTO_ERR_NULL, init(&runner, GOOD_PLAN, GOOD_PLAN_LEN, NULL, GOOD_ARENA_LEN));
    EXPECT(OTO_ERR_NULL, oto_runner_init(&runner, GOOD_PLAN, GOOD_PLAN_LEN, NULL, GOOD_N_OPS,
                                         arena, GOOD_ARENA_LEN));
    EXPECT(OTO_ERR_NULL, oto_runner_init(&runner, GOOD_PLAN, GOOD_PLAN_LEN, holes, 1, arena,
                                         GOOD_ARENA_LEN));
    EXPECT(OTO_ERR_NULL, oto_runner_reset(NULL));
    EXPECT(OTO_OK, init_good(&runner));
    EXPECT(OTO_ERR_NULL, oto_runner_push_i16(NULL, noise, 1, &used, &event));
    EXPECT(OTO_ERR_NULL, oto_runner_push_i16(&runner, NULL, 1, &used, &event));
    EXPECT(OTO_ERR_NULL, oto_runner_push_i16(&runner, noise, 1, NULL, &event));
    EXPECT(OTO_ERR_NULL, oto_runner_push_i16(&runner, noise, 1, &used, NULL));
    EXPECT(OTO_ERR_NULL, oto_runner_push_f32(NULL, NULL, 0, &used, &event));
    EXPECT(OTO_ERR_NULL, oto_runner_push_f32(&runner, NULL, 1, &used, &event));
    EXPECT(OTO_OK, oto_runner_push_i16(&runner, NULL, 0, &used, &event));
    EXPECT(0, used);
    EXPECT(OTO_EVENT_NONE, event.kind);
}

static void versions(void)
{
    static oto_runner runner;
    oto_plan_info info;
    EXPECT(OTO_ERR_ABI, oto_plan_info_get_abi(OTO_ABI_VERSION + 1, GOOD_PLAN, GOOD_PLAN_LEN, &info));
    EXPECT(OTO_ERR_ABI, oto_runner_init_abi(OTO_ABI_VERSION + 1, &runner, GOOD_PLAN, GOOD_PLAN_LEN,
                                            GOOD_OPS, GOOD_N_OPS, arena, GOOD_ARENA_LEN));
    EXPECT(OTO_ERR_NOT_INIT, oto_runner_reset(&runner));
    EXPECT(OTO_ERR_NULL, oto_runner_init_abi(0, NULL, NULL, 0, NULL, 0, NULL, 0));
    /* The format version of the plan, behind the magic number. */
    memcpy(plan_copy, GOOD_PLAN, GOOD_PLAN_LEN);
    plan_copy[4] = 99;
    EXPECT(OTO_ERR_PLAN_VERSION, init(&runner, plan_copy, GOOD_PLAN_LEN, arena, GOOD_ARENA_LEN));
    EXPECT(OTO_ERR_PLAN_VERSION, oto_plan_info_get(plan_copy, GOOD_PLAN_LEN, &info));
}

static void plan_info(void)
{
    oto_plan_info info;
    EXPECT(OTO_OK, oto_plan_info_get(GOOD_PLAN, GOOD_PLAN_LEN, &info));
    EXPECT(1, info.hash == GOOD_PLAN_HASH);
    EXPECT(GOOD_SAMPLES_PER_DECISION, info.samples_per_decision);
    EXPECT(GOOD_PLAN_LEN, info.plan_len);
    EXPECT(GOOD_ARENA_LEN, info.arena_len);
    EXPECT(GOOD_ARENA_ALIGN, info.arena_align);
    EXPECT(OTO_ARENA_ALIGN, info.arena_align);
    EXPECT(GOOD_RATE_MILLIHERTZ, info.rate_millihertz);
    EXPECT(GOOD_NUMERIC, info.numeric);
    EXPECT(OTO_ELEM_I16, info.sample_elem);
    EXPECT(OTO_ELEM_F32, info.feature_elem);
    EXPECT(GOOD_N_FEATURES, info.n_features);
    EXPECT(GOOD_N_LABELS, info.n_labels);
    EXPECT(GOOD_N_OPS, info.n_ops);
}

static void alignment_and_lengths(void)
{
    static oto_runner runner;
    static uint64_t room[OTO_RUNNER_SIZE / 8 + 1];
    oto_plan_info info;
    oto_event event;
    size_t used;
    size_t i;

    for (i = 0; i < 16; i++) {
        const oto_status plan_status = (i % 8 == 0) ? OTO_OK : OTO_ERR_PLAN_MISALIGNED;
        const oto_status arena_status = (i % 8 == 0) ? OTO_OK : OTO_ERR_ARENA_MISALIGNED;
        memcpy(plan_copy + i, GOOD_PLAN, GOOD_PLAN_LEN);
        EXPECT(plan_status, oto_plan_info_get(plan_copy + i, GOOD_PLAN_LEN, &info));
        EXPECT(plan_status, init(&runner, plan_copy + i, GOOD_PLAN_LEN, arena, GOOD_ARENA_LEN));
        EXPECT(arena_status, init(&runner, GOOD_PLAN, GOOD_PLAN_LEN, arena + i, GOOD_ARENA_LEN));
    }
    EXPECT(OTO_ERR_ARENA_TOO_SMALL,
           init(&runner, GOOD_PLAN, GOOD_PLAN_LEN, arena, GOOD_ARENA_LEN - 1));
    EXPECT(OTO_ERR_ARENA_TOO_SMALL, init(&runner, GOOD_PLAN, GOOD_PLAN_LEN, arena, 0));
    EXPECT(OTO_ERR_LENGTH, init(&runner, GOOD_PLAN, SIZE_MAX, arena, GOOD_ARENA_LEN));
    EXPECT(OTO_ERR_LENGTH, init(&runner, GOOD_PLAN, GOOD_PLAN_LEN, arena, SIZE_MAX));
    EXPECT(OTO_ERR_LENGTH, oto_runner_init(&runner, GOOD_PLAN, GOOD_PLAN_LEN, GOOD_OPS, SIZE_MAX,
                                           arena, GOOD_ARENA_LEN));
    EXPECT(OTO_ERR_LENGTH, oto_plan_info_get(GOOD_PLAN, SIZE_MAX, &info));

    EXPECT(OTO_ERR_RUNNER_MISALIGNED,
           init_good((oto_runner *)(void *)((uint8_t *)room + 4)));
    EXPECT(OTO_ERR_RUNNER_MISALIGNED,
           oto_runner_reset((oto_runner *)(void *)((uint8_t *)room + 1)));
    EXPECT(OTO_OK, init_good(&runner));
    EXPECT(OTO_ERR_SAMPLES_MISALIGNED,
           oto_runner_push_i16(&runner, (const int16_t *)(const void *)((uint8_t *)noise + 1), 9,
                               &used, &event));
    EXPECT(OTO_ERR_SAMPLES_MISALIGNED,
           oto_runner_push_f32(&runner, (const float *)(const void *)((uint8_t *)noise + 2), 9,
                               &used, &event));
    EXPECT(OTO_ERR_LENGTH, oto_runner_push_i16(&runner, noise, SIZE_MAX, &used, &event));
}

static void overlaps(void)
{
    static oto_runner runner;
    oto_event event;
    size_t used;
    const size_t plan_at = (GOOD_ARENA_LEN - 8u) & ~(size_t)7u;

    memcpy(plan_copy + plan_at, GOOD_PLAN, GOOD_PLAN_LEN);
    EXPECT(OTO_ERR_OVERLAP,
           init(&runner, plan_copy + plan_at, GOOD_PLAN_LEN, plan_copy, GOOD_ARENA_LEN));
    EXPECT(OTO_ERR_OVERLAP,
           init((oto_runner *)(void *)arena, GOOD_PLAN, GOOD_PLAN_LEN, arena, sizeof arena));
    EXPECT(OTO_OK, init_good(&runner));
    EXPECT(OTO_ERR_OVERLAP,
           oto_runner_push_i16(&runner, (const int16_t *)(const void *)arena, 1, &used, &event));
}

static void damaged_plans(void)
{
    static oto_runner runner, damaged;
    oto_plan_info info;
    size_t i;

    for (i = 0; i < GOOD_PLAN_LEN; i++) {
        EXPECT(OTO_ERR_PLAN_TRUNCATED, oto_plan_info_get(GOOD_PLAN, i, &info));
        EXPECT(OTO_ERR_PLAN_TRUNCATED, init(&runner, GOOD_PLAN, i, arena, GOOD_ARENA_LEN));
    }
    memcpy(plan_copy, GOOD_PLAN, GOOD_PLAN_LEN);
    for (i = 0; i < GOOD_PLAN_LEN; i += (i < 600) ? 1 : 37) {
        plan_copy[i] ^= 0x10;
        /* Init does not hash: what it accepts gives wrong numbers and nothing worse. */
        (void)init(&damaged, plan_copy, GOOD_PLAN_LEN, arena, GOOD_ARENA_LEN);
        EXPECT(1, oto_plan_verify(plan_copy, GOOD_PLAN_LEN) < 0);
        EXPECT(1, oto_plan_info_get(plan_copy, GOOD_PLAN_LEN, &info) < 0);
        plan_copy[i] ^= 0x10;
    }
    plan_copy[0] ^= 1;
    EXPECT(OTO_ERR_PLAN_MAGIC, oto_plan_info_get(plan_copy, GOOD_PLAN_LEN, &info));
    plan_copy[0] ^= 1;
    plan_copy[GOOD_PLAN_LEN - 1] ^= 1;
    EXPECT(OTO_ERR_PLAN_HASH, oto_plan_verify(plan_copy, GOOD_PLAN_LEN));
    EXPECT(OTO_ERR_NULL, oto_plan_verify(NULL, GOOD_PLAN_LEN));
    EXPECT(OTO_ERR_PLAN_TRUNCATED, oto_plan_verify(GOOD_PLAN, GOOD_PLAN_LEN - 1));
    EXPECT(OTO_OK, oto_plan_verify(GOOD_PLAN, GOOD_PLAN_LEN));
    EXPECT(OTO_ERR_NOT_INIT, oto_runner_reset(&runner));
}

static void missing_operators(void)
{
    static oto_runner runner;
    EXPECT(OTO_ERR_MISSING_OP, oto_runner_init(&runner, GOOD_PLAN, GOOD_PLAN_LEN, GOOD_OPS, 0,
                                               arena, GOOD_ARENA_LEN));
    EXPECT(OTO_ERR_MISSING_OP, oto_runner_init(&runner, GOOD_PLAN, GOOD_PLAN_LEN, GOOD_OPS,
                                               GOOD_N_OPS - 1, arena, GOOD_ARENA_LEN));
    EXPECT(OTO_ERR_NOT_INIT, oto_runner_reset(&runner));
}

static void sample_types(void)
{
    static oto_runner runner;
    static const float silence[4] = {0.0f, 0.0f, 0.0f, 0.0f};
    oto_event event;
    size_t used;
    EXPECT(OTO_OK, oto_runner_init(&runner, BYTES_PLAN, BYTES_PLAN_LEN, BYTES_OPS, BYTES_N_OPS,
                                   bytes_arena, sizeof bytes_arena));
    EXPECT(OTO_ERR_SAMPLE_TYPE, oto_runner_push_i16(&runner, noise, 9, &used, &event));
    EXPECT(OTO_ERR_SAMPLE_TYPE, oto_runner_push_f32(&runner, silence, 4, &used, &event));
    EXPECT(OTO_ERR_SAMPLE_TYPE, oto_runner_push_i16_to(&runner, 0, noise, 9, &used, &event));
    EXPECT(OTO_ERR_SAMPLE_TYPE, oto_runner_push_f32_to(&runner, 0, silence, 4, &used, &event));
    EXPECT(OTO_ERR_NO_INPUT, oto_runner_push_i16_to(&runner, 1, noise, 9, &used, &event));
    EXPECT(OTO_ERR_NO_INPUT, oto_runner_push_f32_to(&runner, 9, silence, 4, &used, &event));
    EXPECT(OTO_ERR_NULL, oto_runner_push_i16_to(NULL, 0, noise, 9, &used, &event));
    EXPECT(OTO_ERR_NULL, oto_runner_push_f32_to(&runner, 0, silence, 4, NULL, &event));
}

static void runners_that_are_none(void)
{
    static oto_runner zeroed;
    static oto_runner original;
    static oto_runner copy;
    oto_event event;
    size_t used;
    EXPECT(OTO_ERR_NOT_INIT, oto_runner_push_i16(&zeroed, noise, 1, &used, &event));
    EXPECT(OTO_ERR_NOT_INIT, oto_runner_push_f32(&zeroed, NULL, 0, &used, &event));
    EXPECT(OTO_ERR_NOT_INIT, oto_runner_reset(&zeroed));
    EXPECT(OTO_OK, init_good(&original));
    copy = original;
    EXPECT(OTO_ERR_NOT_INIT, oto_runner_push_i16(&copy, noise, 1, &used, &event));
    EXPECT(OTO_OK, oto_runner_reset(&original));
}

/* A digest of all features that a runner makes of the noise from `from` on. */
static uint32_t digest(oto_runner *runner, size_t from, size_t to)
{
    uint32_t sum = 1;
    oto_event event;
    do {
        size_t used = 0;
        size_t i;
        if (oto_runner_push_i16(runner, noise + from, to - from, &used, &event) != OTO_OK) {
            failures++;
            return 0;
        }
        from += used;
        for (i = 0; i < event.n_features * 4; i++) {
            sum = sum * 31u + ((const uint8_t *)event.features)[i];
        }
    } while (event.kind != OTO_EVENT_NONE);
    return sum;
}

static void errors_leave_everything_alone(void)
{
    static oto_runner runner;
    oto_event event;
    oto_event event_before;
    oto_plan_info info;
    oto_plan_info info_before;
    size_t used = 77;
    uint32_t whole;

    memset(&event, 0x5a, sizeof event);
    event_before = event;
    memset(&info, 0x5a, sizeof info);
    info_before = info;
    EXPECT(OTO_ERR_NOT_INIT, oto_runner_push_i16(&runner, noise, 9, &used, &event));
    EXPECT(77, used);
    EXPECT(0, memcmp(&event, &event_before, sizeof event));
    EXPECT(OTO_ERR_PLAN_TRUNCATED, oto_plan_info_get(GOOD_PLAN, 20, &info));
    EXPECT(0, memcmp(&info, &info_before, sizeof info));

    EXPECT(OTO_OK, init_good(&runner));
    whole = digest(&runner, 0, 4000);
    EXPECT(1, whole != 1u);
    EXPECT(OTO_OK, oto_runner_reset(&runner));
    EXPECT(1, digest(&runner, 0, 4000) == whole);
    /* The runner survives an init that fails, and starts anew with one that does not. */
    EXPECT(OTO_OK, oto_runner_reset(&runner));
    EXPECT(1, digest(&runner, 0, 100) == 1u);
    EXPECT(OTO_ERR_ARENA_TOO_SMALL, init(&runner, GOOD_PLAN, GOOD_PLAN_LEN, arena, 8));
    EXPECT(1, digest(&runner, 100, 4000) == whole);
    EXPECT(OTO_OK, init_good(&runner));
    EXPECT(1, digest(&runner, 0, 4000) == whole);
}

static void two_runners(void)
{
    static oto_runner a;
    static oto_runner b;
    uint32_t first;
    uint32_t second;
    EXPECT(OTO_OK, init_good(&a));
    first = digest(&a, 0, 2000);
    second = digest(&a, 2000, 4000);
    EXPECT(OTO_OK, oto_runner_reset(&a));
    EXPECT(OTO_OK, init(&b, GOOD_PLAN, GOOD_PLAN_LEN, other_arena, sizeof other_arena));
    EXPECT(1, digest(&a, 0, 2000) == first);
    EXPECT(1, digest(&b, 0, 2000) == first);
    EXPECT(1, digest(&b, 2000, 4000) == second);
    EXPECT(1, digest(&a, 2000, 4000) == second);
}

/* Float samples that are 16-bit ones, divided: the same bits. */
static void float_samples(void)
{
    static oto_runner a;
    static oto_runner b;
    static float samples[400];
    oto_event from_ints;
    oto_event from_floats;
    size_t used;
    size_t i;
    for (i = 0; i < 400; i++) {
        samples[i] = (float)noise[i] / 32768.0f;
    }
    EXPECT(OTO_OK, init_good(&a));
    EXPECT(OTO_OK, init(&b, GOOD_PLAN, GOOD_PLAN_LEN, other_arena, sizeof other_arena));
    EXPECT(OTO_OK, oto_runner_push_i16(&a, noise, 400, &used, &from_ints));
    EXPECT(400, used);
    EXPECT(OTO_OK, oto_runner_push_f32(&b, samples, 400, &used, &from_floats));
    EXPECT(400, used);
    EXPECT(OTO_EVENT_FEATURES, from_ints.kind);
    EXPECT(OTO_EVENT_FEATURES, from_floats.kind);
    EXPECT(GOOD_N_FEATURES, from_floats.n_features);
    EXPECT(400, from_floats.clock);
    EXPECT(-1, from_floats.label);
    EXPECT(0, memcmp(from_ints.features, from_floats.features, GOOD_N_FEATURES * sizeof(float)));
}

static void texts(void)
{
    int32_t status;
    EXPECT(0, strcmp(oto_status_str(OTO_OK), "ok"));
    for (status = -40; status <= 5; status++) {
        EXPECT(1, oto_status_str(status) != NULL);
    }
    EXPECT(0, strcmp(oto_status_str(5), oto_status_str(-39)));
    EXPECT(1, strcmp(oto_status_str(OTO_ERR_NULL), oto_status_str(5)) != 0);
    EXPECT(1, oto_version()[0] >= '0' && oto_version()[0] <= '9');
}

int main(void)
{
    make_noise();
    null_pointers();
    versions();
    plan_info();
    alignment_and_lengths();
    overlaps();
    damaged_plans();
    missing_operators();
    sample_types();
    runners_that_are_none();
    errors_leave_everything_alone();
    two_runners();
    float_samples();
    texts();
    printf("%d failures\n", failures);
    return (failures == 0) ? 0 : 1;
}
