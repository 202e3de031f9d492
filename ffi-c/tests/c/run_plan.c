/*
 * Runs a plan that was compiled in over the samples of a file.
 *
 *   run_plan [--events] FILE
 *
 * FILE is a WAV file with one channel of 16 bits, or bare 16-bit little-endian samples. Each
 * decision is one line, `time_s label score`, separated by tabs. With --events, all events are
 * shown bit by bit.
 *
 * Compile with -DPLAN=KWS -DPLAN_HEADER='"kws.h"' for the plan in kws.h and kws.c.
 */
#include PLAN_HEADER

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define JOIN_(a, b) a##b
#define JOIN(a, b) JOIN_(a, b)
#define PLAN_(name) JOIN(PLAN, name)

OTO_ALIGNED(OTO_ARENA_ALIGN) static uint8_t arena[PLAN_(_ARENA_LEN)];
static oto_runner runner;

static const char *label_name(int32_t label)
{
#if PLAN_(_N_LABELS) > 0
    if (label >= 0 && (size_t)label < PLAN_(_N_LABELS)) {
        return PLAN_(_LABELS)[label];
    }
#else
    (void)label;
#endif
    return "?";
}

static void print_bits(const oto_event *event)
{
    size_t i;
    const size_t elem_size = (event->feature_elem == OTO_ELEM_F32) ? 4u
                             : (event->feature_elem == OTO_ELEM_I16) ? 2u
                                                                     : 1u;
    const uint8_t *bytes = (const uint8_t *)event->features;
    printf("kind=%ld clock=%llu elem=%ld features=", (long)event->kind,
           (unsigned long long)event->clock, (long)event->feature_elem);
    for (i = 0; i < event->n_features * elem_size; i++) {
        printf("%02x", (unsigned)bytes[i]);
    }
    printf(" scores=");
    for (i = 0; i < event->n_scores; i++) {
        printf("%s%d", (i == 0) ? "" : ",", (int)event->scores[i]);
    }
    printf("\n");
}

static void print_decision(const oto_event *event)
{
    const double rate = (double)PLAN_(_RATE_MILLIHERTZ) / 1000.0;
    printf("%.3f\t%s\t%.3f\n", (double)event->clock / rate, label_name(event->label),
           (double)event->score_q15 / 32768.0);
}

static int push_all(const int16_t *samples, size_t n, int all_events)
{
    oto_event event;
    do {
        size_t used = 0;
        const oto_status status = oto_runner_push_i16(&runner, samples, n, &used, &event);
        if (status != OTO_OK) {
            fprintf(stderr, "push: %s\n", oto_status_str(status));
            return 0;
        }
        samples += used;
        n -= used;
        if (all_events && event.kind != OTO_EVENT_NONE) {
            print_bits(&event);
        }
        if (event.kind == OTO_EVENT_DECISION) {
            print_decision(&event);
        }
    } while (event.kind != OTO_EVENT_NONE);
    return 1;
}

static uint32_t u32_le(const uint8_t *bytes)
{
    return (uint32_t)bytes[0] | (uint32_t)bytes[1] << 8 | (uint32_t)bytes[2] << 16 |
           (uint32_t)bytes[3] << 24;
}

/* Finds the samples: all of the file, or the data chunk of a WAV file. */
static const uint8_t *find_samples(const uint8_t *file, size_t len, size_t *samples_len)
{
    size_t at = 12;
    if (len < 12 || memcmp(file, "RIFF", 4) != 0 || memcmp(file + 8, "WAVE", 4) != 0) {
        *samples_len = len;
        return file;
    }
    while (len - at >= 8) {
        const size_t chunk_len = u32_le(file + at + 4);
        const size_t rest = len - at - 8;
        if (memcmp(file + at, "data", 4) == 0) {
            *samples_len = (chunk_len < rest) ? chunk_len : rest;
            return file + at + 8;
        }
        if (chunk_len + (chunk_len & 1u) > rest) {
            break;
        }
        at += 8 + chunk_len + (chunk_len & 1u);
    }
    *samples_len = 0;
    return file;
}

static int run(const uint8_t *bytes, size_t len, int all_events)
{
    /* Chunks that fit no hop: the cut must not matter. */
    static const size_t chunk_lens[] = {1, 7, 160, 333, 1021, 4096};
    static int16_t chunk[4096];
    size_t turn = 0;
    oto_status status = oto_runner_init(&runner, PLAN_(_PLAN), PLAN_(_PLAN_LEN), PLAN_(_OPS),
                                        PLAN_(_N_OPS), arena, sizeof arena);
    if (status != OTO_OK) {
        fprintf(stderr, "init: %s\n", oto_status_str(status));
        return 0;
    }
    while (len >= 2) {
        size_t n = chunk_lens[turn++ % (sizeof chunk_lens / sizeof chunk_lens[0])];
        size_t i;
        n = (n < len / 2) ? n : len / 2;
        for (i = 0; i < n; i++) {
            const int32_t value = (int32_t)bytes[2 * i] | (int32_t)bytes[2 * i + 1] << 8;
            chunk[i] = (int16_t)((value ^ 0x8000) - 0x8000);
        }
        if (!push_all(chunk, n, all_events)) {
            return 0;
        }
        bytes += 2 * n;
        len -= 2 * n;
    }
    return 1;
}

int main(int argc, char **argv)
{
    const int all_events = argc == 3 && strcmp(argv[1], "--events") == 0;
    static uint8_t file[1 << 24];
    const uint8_t *samples;
    size_t len;
    FILE *stream;

    if (argc != 2 && !all_events) {
        fprintf(stderr, "usage: run_plan [--events] FILE\n");
        return 2;
    }
    stream = fopen(argv[argc - 1], "rb");
    if (stream == NULL) {
        fprintf(stderr, "%s cannot be opened\n", argv[argc - 1]);
        return 3;
    }
    len = fread(file, 1, sizeof file, stream);
    (void)fclose(stream);
    samples = find_samples(file, len, &len);
    return run(samples, len, all_events) ? 0 : 1;
}
