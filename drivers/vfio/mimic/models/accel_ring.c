// SPDX-License-Identifier: GPL-2.0-only
/*
 * accel: command rings.
 *
 * The work item of a ring runs the descriptor numbered HEAD in three stages:
 * fetch and check it, move its bytes by units, write its completion. Each step
 * changes the ring in one critical section of accel.lock (see accel.c), so that
 * between steps the ring is in a state that can be saved.
 */
#include <linux/bitops.h>
#include <linux/crc32c.h>
#include <linux/log2.h>
#include <linux/minmax.h>
#include <linux/mm.h>
#include <linux/nospec.h>
#include <linux/overflow.h>
#include <linux/sched.h>
#include <linux/string.h>

#include "accel.h"

/* How long to wait when device memory is frozen under a device that may run. */
#define ACCEL_RETRY_JIFFIES	1
#define ACCEL_MIN_RING		2
#define ACCEL_MAX_RING		1024

/* --- Commands ----------------------------------------------------------- */

/* Where the bytes of a command come from and go to. */
enum accel_place {
	ACCEL_NOWHERE,
	ACCEL_GUEST,
	ACCEL_DEVICE,
	ACCEL_PATTERN,
	ACCEL_CRC,
};

struct accel_op {
	enum accel_place from;
	enum accel_place to;
};

/* At most one end is in guest memory. */
static const struct accel_op accel_ops[] = {
	[MIMIC_ACCEL_OP_NOP]		= { ACCEL_NOWHERE, ACCEL_NOWHERE },
	[MIMIC_ACCEL_OP_COPY_G2D]	= { ACCEL_GUEST, ACCEL_DEVICE },
	[MIMIC_ACCEL_OP_COPY_D2G]	= { ACCEL_DEVICE, ACCEL_GUEST },
	[MIMIC_ACCEL_OP_COPY_D2D]	= { ACCEL_DEVICE, ACCEL_DEVICE },
	[MIMIC_ACCEL_OP_FILL_D]		= { ACCEL_PATTERN, ACCEL_DEVICE },
	[MIMIC_ACCEL_OP_FILL_G]		= { ACCEL_PATTERN, ACCEL_GUEST },
	[MIMIC_ACCEL_OP_CRC_D]		= { ACCEL_DEVICE, ACCEL_CRC },
	[MIMIC_ACCEL_OP_CRC_G]		= { ACCEL_GUEST, ACCEL_CRC },
};

/* The opcode has been checked. */
static const struct accel_op *accel_op(const struct mimic_accel_desc *desc)
{
	u16 opcode = le16_to_cpu(desc->opcode);

	return &accel_ops[array_index_nospec(opcode, ARRAY_SIZE(accel_ops))];
}

/* Whether @len bytes (not 0) at @addr can be at @place: MIMIC_ACCEL_CPL_*. */
static u16 accel_place_check(const struct accel *a, enum accel_place place,
			     u64 addr, u32 len)
{
	u64 size = accel_mem_size(a);
	u64 last;

	if (place == ACCEL_DEVICE && (len > size || addr > size - len))
		return MIMIC_ACCEL_CPL_BAD_RANGE;
	if (place == ACCEL_GUEST && check_add_overflow(addr, (u64)len - 1, &last))
		return MIMIC_ACCEL_CPL_DMA_FAULT;
	return MIMIC_ACCEL_CPL_OK;
}

/* What can be said of a descriptor before it is run: MIMIC_ACCEL_CPL_*. */
static u16 accel_desc_check(const struct accel *a,
			    const struct mimic_accel_desc *desc)
{
	u64 src = le64_to_cpu(desc->src);
	u64 dst = le64_to_cpu(desc->dst);
	u32 len = le32_to_cpu(desc->len);
	const struct accel_op *op;
	u16 status;

	if (le16_to_cpu(desc->opcode) >= ARRAY_SIZE(accel_ops) ||
	    le16_to_cpu(desc->flags) & ~MIMIC_ACCEL_DESC_IRQ ||
	    !len || len > MIMIC_ACCEL_MAX_LEN || desc->reserved0 ||
	    memchr_inv(desc->reserved, 0, sizeof(desc->reserved)))
		return MIMIC_ACCEL_CPL_BAD_DESC;
	op = accel_op(desc);
	status = accel_place_check(a, op->from, src, len);
	if (!status)
		status = accel_place_check(a, op->to, dst, len);
	if (!status && op->from == ACCEL_DEVICE && op->to == ACCEL_DEVICE &&
	    src < dst + len && dst < src + len)
		status = MIMIC_ACCEL_CPL_BAD_DESC;
	return status;
}

static bool accel_desc_is_crc(const struct mimic_accel_desc *desc)
{
	return accel_op(desc)->to == ACCEL_CRC;
}

/* Fill with the pattern as it looks from byte @pos of the target on. */
static void accel_pattern(void *buf, size_t len, __le64 pattern, u32 pos)
{
	__le64 word = cpu_to_le64(ror64(le64_to_cpu(pattern), pos % 8 * 8));

	memset64(buf, (__force u64)word, DIV_ROUND_UP(len, 8));
}

/* --- Rings -------------------------------------------------------------- */

void accel_ring_kick(struct accel_ring *r)
{
	mod_delayed_work(r->a->wq, &r->work, 0);
}

/* Forget the command in progress, and tell the work item. */
static void accel_ring_drop(struct accel_ring *r)
{
	lockdep_assert_held(&r->a->lock);
	r->epoch++;
	r->stage = ACCEL_STAGE_IDLE;
	memset(&r->desc, 0, sizeof(r->desc));
	r->done = 0;
	r->crc = 0;
	r->status = 0;
}

static void accel_ring_halt(struct accel_ring *r)
{
	accel_ring_drop(r);
	r->halted = true;
	accel_int_occur(r->a, MIMIC_ACCEL_INT_RING_ERROR);
}

static bool accel_ring_can_run(const struct accel_ring *r)
{
	return r->a->run == VMIG_RUN_ALL && r->enabled && !r->halted &&
	       r->head != r->tail;
}

/* The command is over, what is left is the completion. */
static void accel_ring_finish(struct accel_ring *r, u16 status)
{
	lockdep_assert_held(&r->a->lock);
	r->stage = ACCEL_STAGE_COMPLETE;
	r->status = status;
	if (status != MIMIC_ACCEL_CPL_OK)
		r->crc = 0;
	else if (accel_desc_is_crc(&r->desc))
		r->crc = ~r->crc;
}

static void accel_ring_fetch(struct accel_ring *r)
{
	u32 slot = r->head & (r->size - 1);
	struct mimic_accel_desc desc;
	u16 status;
	int err;

	err = accel_guest_read(r->a, r->desc_addr + slot * sizeof(desc), &desc,
			       sizeof(desc), &r->epoch);
	/* A doorbell may have taken the descriptor back. */
	if (err == -ESTALE || r->head == r->tail)
		return;
	if (err) {
		accel_ring_halt(r);
		return;
	}
	r->desc = desc;
	r->stage = ACCEL_STAGE_EXEC;
	status = accel_desc_check(r->a, &desc);
	if (status)
		accel_ring_finish(r, status);
	else if (accel_desc_is_crc(&desc))
		r->crc = ~0;
}

/* Bytes of the next unit; guest memory is pinned by the page. */
static u32 accel_unit_len(const struct accel_ring *r, const struct accel_op *op)
{
	u64 iova = r->done;
	u32 len = min_t(u32, le32_to_cpu(r->desc.len) - r->done, ACCEL_UNIT);

	if (op->from == ACCEL_GUEST)
		iova += le64_to_cpu(r->desc.src);
	else if (op->to == ACCEL_GUEST)
		iova += le64_to_cpu(r->desc.dst);
	else
		return len;
	return min_t(u32, len, MIMIC_ACCEL_PAGE_SIZE - offset_in_page(iova));
}

/*
 * The unit's bytes: where they came from guest memory they are in the bounce
 * buffer already, where they go there the page is pinned. 0 or what
 * vmig_mem_read() and vmig_mem_write() say.
 */
static int accel_unit_move(struct accel_ring *r, const struct accel_op *op,
			   struct mimic_pin *pin, u32 len)
{
	struct vmig_mem *mem = &r->a->v->mem;
	int err = 0;

	if (op->from == ACCEL_DEVICE)
		err = vmig_mem_read(mem, le64_to_cpu(r->desc.src) + r->done,
				    r->bounce, len);
	else if (op->from == ACCEL_PATTERN)
		accel_pattern(r->bounce, len, r->desc.pattern, r->done);
	if (err)
		return err;

	if (op->to == ACCEL_DEVICE)
		err = vmig_mem_write(mem, le64_to_cpu(r->desc.dst) + r->done,
				     r->bounce, len);
	else if (op->to == ACCEL_GUEST)
		mimic_dma_copy(pin, 0, r->bounce, len);
	else if (op->to == ACCEL_CRC)
		r->crc = crc32c(r->crc, r->bounce, len);
	return err;
}

/* Move the next unit. -EAGAIN if device memory is frozen, else 0. */
static int accel_ring_exec(struct accel_ring *r)
{
	const struct accel_op *op = accel_op(&r->desc);
	u32 len = accel_unit_len(r, op);
	struct mimic_pin pin;
	int err = 0;

	if (op->from == ACCEL_GUEST)
		err = accel_guest_read(r->a, le64_to_cpu(r->desc.src) + r->done,
				       r->bounce, len, &r->epoch);
	else if (op->to == ACCEL_GUEST)
		err = accel_guest_pin(r->a, le64_to_cpu(r->desc.dst) + r->done,
				      len, &pin, &r->epoch);
	if (err == -ESTALE)
		return 0;
	if (err) {
		accel_ring_finish(r, MIMIC_ACCEL_CPL_DMA_FAULT);
		return 0;
	}

	if (op->from == ACCEL_NOWHERE)
		len = le32_to_cpu(r->desc.len);
	else
		err = accel_unit_move(r, op, &pin, len);
	if (!err) {
		r->done += len;
		if (r->done == le32_to_cpu(r->desc.len))
			accel_ring_finish(r, MIMIC_ACCEL_CPL_OK);
	} else if (err != -EIO) {
		accel_ring_finish(r, accel_mem_status(err));
	}
	if (op->to == ACCEL_GUEST)
		accel_guest_unpin(r->a, &pin);
	return err == -EIO ? -EAGAIN : 0;
}

static void accel_ring_put_cpl(struct accel_ring *r, struct mimic_pin *pin)
{
	const struct mimic_accel_cpl cpl = {
		.seq = cpu_to_le32(r->head + 1),
		.cookie = r->desc.cookie,
		.status = cpu_to_le16(r->status),
		.done = cpu_to_le32(r->done),
		.result = cpu_to_le32(r->crc),
	};
	const size_t rest = sizeof(cpl.seq);

	mimic_dma_copy(pin, rest, (const u8 *)&cpl + rest, sizeof(cpl) - rest);
	/* A poller that sees the number must see the rest, and the data. */
	smp_wmb();
	mimic_dma_copy(pin, 0, &cpl, rest);
}

/* The completion, HEAD and the interrupt are one step: exactly once. */
static void accel_ring_complete(struct accel_ring *r)
{
	u32 slot = r->head & (r->size - 1);
	struct mimic_pin pin;
	bool irq;
	int err;

	err = accel_guest_pin(r->a, r->cpl_addr +
			      slot * sizeof(struct mimic_accel_cpl),
			      sizeof(struct mimic_accel_cpl), &pin, &r->epoch);
	if (err == -ESTALE)
		return;
	if (err) {
		accel_ring_halt(r);
		return;
	}
	accel_ring_put_cpl(r, &pin);
	if (r->status != MIMIC_ACCEL_CPL_OK)
		r->errors++;
	r->head++;
	irq = le16_to_cpu(r->desc.flags) & MIMIC_ACCEL_DESC_IRQ;
	accel_ring_drop(r);
	if (irq)
		accel_int_occur(r->a, MIMIC_ACCEL_INT_RING(r->index));
	accel_guest_unpin(r->a, &pin);
}

static int accel_ring_step(struct accel_ring *r)
{
	switch (r->stage) {
	case ACCEL_STAGE_IDLE:
		accel_ring_fetch(r);
		return 0;
	case ACCEL_STAGE_EXEC:
		return accel_ring_exec(r);
	case ACCEL_STAGE_COMPLETE:
		accel_ring_complete(r);
		return 0;
	}
	return 0;
}

static void accel_ring_work(struct work_struct *work)
{
	struct accel_ring *r = container_of(to_delayed_work(work),
					    struct accel_ring, work);
	struct accel *a = r->a;

	mutex_lock(&a->lock);
	while (accel_ring_can_run(r)) {
		if (accel_ring_step(r)) {
			queue_delayed_work(a->wq, &r->work, ACCEL_RETRY_JIFFIES);
			break;
		}
		/* Let registers be read, and the device be stopped. */
		mutex_unlock(&a->lock);
		cond_resched();
		mutex_lock(&a->lock);
	}
	mutex_unlock(&a->lock);
}

/* --- Registers ---------------------------------------------------------- */

static bool accel_array_ok(u64 addr, u32 size, u32 entry)
{
	u64 last;

	return IS_ALIGNED(addr, entry) &&
	       !check_add_overflow(addr, (u64)size * entry - 1, &last);
}

static bool accel_ring_geometry_ok(u64 desc, u64 cpl, u32 size)
{
	return size >= ACCEL_MIN_RING && size <= ACCEL_MAX_RING &&
	       is_power_of_2(size) &&
	       accel_array_ok(desc, size, sizeof(struct mimic_accel_desc)) &&
	       accel_array_ok(cpl, size, sizeof(struct mimic_accel_cpl));
}

static void accel_ring_disable(struct accel_ring *r)
{
	accel_ring_drop(r);
	r->enabled = false;
	r->halted = false;
	r->tail = r->head;
}

/*
 * To disable a ring is allowed while the device is stopped, too: who did it may
 * rely on the ring's memory being left alone for good.
 */
static bool accel_ring_set_ctrl(struct accel_ring *r, u32 val)
{
	bool enable = val & MIMIC_ACCEL_RING_CTRL_ENABLE;

	if (enable == r->enabled)
		return true;
	if (!enable) {
		accel_ring_disable(r);
		return true;
	}
	if (r->a->run == VMIG_RUN_NONE ||
	    !accel_ring_geometry_ok(r->desc_addr, r->cpl_addr, r->size))
		return false;
	accel_ring_drop(r);
	r->enabled = true;
	r->head = 0;
	r->tail = 0;
	return true;
}

/*
 * A doorbell that takes back the command in progress is bad, like one that
 * claims too many: when the command is completed HEAD would be beyond TAIL.
 */
static bool accel_ring_doorbell(struct accel_ring *r, u32 tail)
{
	u32 queued = tail - r->head;

	if (r->a->run == VMIG_RUN_NONE || !r->enabled || r->halted)
		return false;
	if (queued > r->size || (!queued && r->stage != ACCEL_STAGE_IDLE)) {
		accel_ring_halt(r);
		return true;
	}
	r->tail = tail;
	accel_ring_kick(r);
	return true;
}

static u32 accel_ring_status(const struct accel_ring *r)
{
	if (!r->enabled)
		return 0;
	return MIMIC_ACCEL_RING_STATUS_ENABLED |
	       (r->head != r->tail ? MIMIC_ACCEL_RING_STATUS_BUSY : 0) |
	       (r->halted ? MIMIC_ACCEL_RING_STATUS_HALTED : 0);
}

u32 accel_ring_read(const struct accel_ring *r, u32 reg)
{
	lockdep_assert_held(&r->a->lock);
	switch (reg) {
	case MIMIC_ACCEL_RING_DESC_LO:
		return lower_32_bits(r->desc_addr);
	case MIMIC_ACCEL_RING_DESC_HI:
		return upper_32_bits(r->desc_addr);
	case MIMIC_ACCEL_RING_CPL_LO:
		return lower_32_bits(r->cpl_addr);
	case MIMIC_ACCEL_RING_CPL_HI:
		return upper_32_bits(r->cpl_addr);
	case MIMIC_ACCEL_RING_SIZE:
		return r->size;
	case MIMIC_ACCEL_RING_CTRL:
		return r->enabled ? MIMIC_ACCEL_RING_CTRL_ENABLE : 0;
	case MIMIC_ACCEL_RING_TAIL:
		return r->tail;
	case MIMIC_ACCEL_RING_HEAD:
		return r->head;
	case MIMIC_ACCEL_RING_STATUS:
		return accel_ring_status(r);
	case MIMIC_ACCEL_RING_ERRORS:
		return r->errors;
	default:
		return 0;
	}
}

static bool accel_ring_set_geometry(struct accel_ring *r, u32 reg, u32 val)
{
	if (r->enabled)
		return false;
	switch (reg) {
	case MIMIC_ACCEL_RING_DESC_LO:
		accel_set_lo(&r->desc_addr, val);
		return true;
	case MIMIC_ACCEL_RING_DESC_HI:
		accel_set_hi(&r->desc_addr, val);
		return true;
	case MIMIC_ACCEL_RING_CPL_LO:
		accel_set_lo(&r->cpl_addr, val);
		return true;
	case MIMIC_ACCEL_RING_CPL_HI:
		accel_set_hi(&r->cpl_addr, val);
		return true;
	case MIMIC_ACCEL_RING_SIZE:
		r->size = val;
		return true;
	default:
		return false;
	}
}

/* Writers of registers say whether they took the value. */
bool accel_ring_write(struct accel_ring *r, u32 reg, u32 val)
{
	lockdep_assert_held(&r->a->lock);
	switch (reg) {
	case MIMIC_ACCEL_RING_CTRL:
		return accel_ring_set_ctrl(r, val);
	case MIMIC_ACCEL_RING_TAIL:
		return accel_ring_doorbell(r, val);
	default:
		return accel_ring_set_geometry(r, reg, val);
	}
}

/* --- Reset, save, check and load ---------------------------------------- */

void accel_ring_reset(struct accel_ring *r)
{
	accel_ring_drop(r);
	r->enabled = false;
	r->halted = false;
	r->desc_addr = 0;
	r->cpl_addr = 0;
	r->size = 0;
	r->tail = 0;
	r->head = 0;
	r->errors = 0;
}

void accel_ring_save(const struct accel_ring *r,
		     struct accel_state_ring *s)
{
	s->desc = cpu_to_le64(r->desc_addr);
	s->cpl = cpu_to_le64(r->cpl_addr);
	s->size = cpu_to_le32(r->size);
	s->flags = cpu_to_le32((r->enabled ? ACCEL_STATE_RING_ENABLED : 0) |
			       (r->halted ? ACCEL_STATE_RING_HALTED : 0));
	s->tail = cpu_to_le32(r->tail);
	s->head = cpu_to_le32(r->head);
	s->errors = cpu_to_le32(r->errors);
	s->cmd.desc = r->desc;
	s->cmd.done = cpu_to_le32(r->done);
	s->cmd.crc = cpu_to_le32(r->crc);
	s->cmd.status = cpu_to_le16(r->status);
	s->cmd.stage = cpu_to_le16(r->stage);
}

/* A command that is not idle. */
static bool accel_cmd_state_ok(const struct accel *a,
			       const struct accel_state_cmd *c)
{
	u16 verdict = accel_desc_check(a, &c->desc);
	u16 stage = le16_to_cpu(c->stage);
	u16 status = le16_to_cpu(c->status);
	u32 done = le32_to_cpu(c->done);
	u32 len = le32_to_cpu(c->desc.len);

	if (c->reserved)
		return false;
	/* A remainder or result is there in good CRC commands only. */
	if (c->crc && (verdict || status || !accel_desc_is_crc(&c->desc)))
		return false;
	if (stage == ACCEL_STAGE_EXEC)
		return !verdict && !status && done < len;
	if (stage != ACCEL_STAGE_COMPLETE)
		return false;
	if (verdict)
		return status == verdict && !done;
	if (status == MIMIC_ACCEL_CPL_OK)
		return done == len;
	return status >= MIMIC_ACCEL_CPL_BAD_RANGE &&
	       status <= MIMIC_ACCEL_CPL_NO_MEMORY && done < len;
}

bool accel_ring_state_ok(const struct accel *a,
			 const struct accel_state_ring *s)
{
	bool idle = !memchr_inv(&s->cmd, 0, sizeof(s->cmd));
	u32 queued = le32_to_cpu(s->tail) - le32_to_cpu(s->head);
	u32 flags = le32_to_cpu(s->flags);
	u32 size = le32_to_cpu(s->size);

	if (s->reserved)
		return false;
	if (!flags)
		return idle && !queued;
	if (flags != ACCEL_STATE_RING_ENABLED &&
	    flags != (ACCEL_STATE_RING_ENABLED | ACCEL_STATE_RING_HALTED))
		return false;
	if (!accel_ring_geometry_ok(le64_to_cpu(s->desc), le64_to_cpu(s->cpl),
				    size) || queued > size)
		return false;
	if (idle)
		return true;
	return !(flags & ACCEL_STATE_RING_HALTED) && queued &&
	       accel_cmd_state_ok(a, &s->cmd);
}

void accel_ring_load(struct accel_ring *r,
		     const struct accel_state_ring *s)
{
	u32 flags = le32_to_cpu(s->flags);

	r->epoch++;
	r->desc_addr = le64_to_cpu(s->desc);
	r->cpl_addr = le64_to_cpu(s->cpl);
	r->size = le32_to_cpu(s->size);
	r->enabled = flags & ACCEL_STATE_RING_ENABLED;
	r->halted = flags & ACCEL_STATE_RING_HALTED;
	r->tail = le32_to_cpu(s->tail);
	r->head = le32_to_cpu(s->head);
	r->errors = le32_to_cpu(s->errors);
	r->desc = s->cmd.desc;
	r->done = le32_to_cpu(s->cmd.done);
	r->crc = le32_to_cpu(s->cmd.crc);
	r->status = le16_to_cpu(s->cmd.status);
	r->stage = le16_to_cpu(s->cmd.stage);
}

void accel_ring_init(struct accel *a, unsigned int index)
{
	struct accel_ring *r = &a->rings[index];

	r->a = a;
	r->index = index;
	INIT_DELAYED_WORK(&r->work, accel_ring_work);
}
