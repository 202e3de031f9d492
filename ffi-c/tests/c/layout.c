/* The layouts that the library asserts in src/abi.rs, as C sees them. Compiled, not run. */
#include "otolith.h"

#define ASSERT(name, condition) typedef char assert_##name[(condition) ? 1 : -1]
#define WORD sizeof(void *)

ASSERT(status, sizeof(oto_status) == 4);
ASSERT(runner, sizeof(oto_runner) == OTO_RUNNER_SIZE && OTO_RUNNER_SIZE == 416);
ASSERT(info, sizeof(oto_plan_info) == 56);
ASSERT(info_plan_len, offsetof(oto_plan_info, plan_len) == 16);
ASSERT(info_arena_len, offsetof(oto_plan_info, arena_len) == 20);
ASSERT(info_rate, offsetof(oto_plan_info, rate_millihertz) == 28);
ASSERT(info_n_ops, offsetof(oto_plan_info, n_ops) == 52);
ASSERT(event, sizeof(oto_event) == 24 + 4 * WORD);
ASSERT(event_kind, offsetof(oto_event, kind) == 8);
ASSERT(event_feature_elem, offsetof(oto_event, feature_elem) == 20);
ASSERT(event_features, offsetof(oto_event, features) == 24);
ASSERT(event_n_features, offsetof(oto_event, n_features) == 24 + WORD);
ASSERT(event_scores, offsetof(oto_event, scores) == 24 + 2 * WORD);
