/* A plan that is not compiled in, but read from a file system or received over the air. */
#include "otolith.h"

/* [load] */
oto_status load(oto_runner *runner, const uint8_t *plan, size_t plan_len,
                const oto_op *const *ops, size_t n_ops, uint64_t *arena, size_t arena_len)
{
    oto_plan_info info;
    oto_status status = oto_plan_info_get(plan, plan_len, &info);
    if (status != OTO_OK) {
        return status;
    }
    if (info.rate_millihertz != 16000000u || info.n_labels == 0u) {
        return OTO_ERR_PLAN_INVALID; /* not a plan for this product */
    }
    return oto_runner_init(runner, plan, plan_len, ops, n_ops, arena, arena_len);
}
/* [load] */
