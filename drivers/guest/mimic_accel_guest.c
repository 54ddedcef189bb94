// SPDX-License-Identifier: GPL-2.0-only
/*
 * Guest driver of the mimic "accel" device: /dev/mimic_accelN with submit,
 * wait and mmap, see include/uapi/linux/mimic_accel_guest.h.
 *
 * Invariants:
 *  - The device is only ever given addresses of the rings and of ranges inside
 *    the driver's own buffer, whatever user space asks for.
 *  - A ring's @done moves on in the interrupt handler alone. Only when a waiter
 *    has slept for the whole timeout does it look by itself, and what it then
 *    finds is counted as lost: a completion is never found by luck.
 *  - At most size - 1 commands are outstanding, so that a device that writes
 *    the completion before it moves HEAD never sees a full ring overrun.
 *  - Nobody touches the device or its mapping unless accel.remove is held for
 *    reading and !accel.gone; remove() sets gone with it held for writing.
 *    Sleepers hold nothing and look again when they wake up.
 *  - struct accel lives as long as the device is bound or a file is open. The
 *    buffer's pages are counted one by one, so that a mapping may outlive both.
 *
 *  - User memory is copied with no lock held, since a fault on the mapped device
 *    memory takes accel.remove.
 *
 * Locks, outermost first:
 *	accel_ring.submit	order of descriptors, owner of the ring
 *	accel.remove		(rw_semaphore) see above
 *	accel.ctrl		the stamp job's and the timer's registers
 *	accel.files_lock	list of open files
 *	accel.counters_lock	the device's counters; taken in interrupts
 *	accel_ring.lock		@done and the ring's counters; taken in interrupts
 */
#include <linux/align.h>
#include <linux/dma-mapping.h>
#include <linux/idr.h>
#include <linux/interrupt.h>
#include <linux/io.h>
#include <linux/kref.h>
#include <linux/list.h>
#include <linux/log2.h>
#include <linux/miscdevice.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/nospec.h>
#include <linux/pci.h>
#include <linux/rwsem.h>
#include <linux/sizes.h>
#include <linux/slab.h>
#include <linux/spinlock.h>
#include <linux/uaccess.h>
#include <linux/wait.h>
#include <uapi/linux/mimic_accel_guest.h>
#include "vmig_compat.h"

#define DRV_NAME	"mimic_accel_guest"
#define MIN_RING	2
#define MAX_RING	1024
#define MIN_BUF_KIB	64
#define MAX_BUF_KIB	4096
#define MAX_TIMEOUT_MS	600000

static unsigned int ring_size = 256;
module_param(ring_size, uint, 0444);
MODULE_PARM_DESC(ring_size, "descriptors per ring, a power of two, 2 to 1024 (default 256)");

static unsigned int buffer_kib = 4096;
module_param(buffer_kib, uint, 0444);
MODULE_PARM_DESC(buffer_kib, "KiB of the buffer, a power of two, 64 to 4096 (default 4096)");

static unsigned int timeout_ms = 60000;
module_param(timeout_ms, uint, 0444);
MODULE_PARM_DESC(timeout_ms, "ms without an interrupt that make it a lost one, 1 to 600000 (default 60000)");

static bool intx;
module_param(intx, bool, 0444);
MODULE_PARM_DESC(intx, "use INTx even though there is MSI-X (default no)");

/**
 * struct accel_span - guest memory of a command, to be synced when it is done
 * @off: offset into the buffer
 * @len: bytes, 0 if the command uses no guest memory
 */
struct accel_span {
	u32 off;
	u32 len;
};

/**
 * struct accel_ring - a command ring
 * @accel: whose ring
 * @index: which
 * @submit: serialises submitters; protects @owner, @tail, @desc and @spans
 * @owner: file that the ring belongs to
 * @tail: commands submitted since the ring was enabled
 * @desc: descriptors, which the device reads
 * @desc_dma: their address
 * @cpl: completions, which the device writes
 * @cpl_dma: their address
 * @spans: by slot
 * @lock: protects @done, @halted and the counters; taken in interrupts
 * @done: commands known to be complete since the ring was enabled
 * @halted: the device stopped the ring for good
 * @completed: counter, see uapi
 * @failed: counter
 * @lost: counter
 * @submitted: counter
 * @wait: who waits for @done
 */
struct accel_ring {
	struct accel *accel;
	unsigned int index;
	struct mutex submit;	/* @owner, @tail, @desc and @spans */
	struct accel_file *owner;
	u64 tail;
	struct mimic_accel_desc *desc;
	dma_addr_t desc_dma;
	struct mimic_accel_cpl *cpl;
	dma_addr_t cpl_dma;
	struct accel_span *spans;
	spinlock_t lock;	/* @done, @halted and the counters */
	u64 done;
	bool halted;
	u64 completed;
	u64 failed;
	u64 lost;
	u64 submitted;
	wait_queue_head_t wait;
};

/**
 * struct accel - a bound device
 * @ref: the binding and each open file
 * @pdev: the device
 * @misc: /dev/mimic_accelN
 * @id: N
 * @name: of @misc
 * @remove: see the top of the file
 * @gone: the device is no longer bound
 * @regs: BAR0
 * @mem_start: physical address of BAR2
 * @mem_size: bytes of BAR2
 * @version: interface version
 * @nr_vectors: MSI-X vectors, 0 with INTx
 * @buf: the buffer
 * @buf_dma: its address
 * @buf_size: its bytes
 * @rings: command rings
 * @ctrl: protects the stamp job's and the timer's registers
 * @files_lock: protects @files
 * @files: open files
 * @counters_lock: protects the counters below; taken in interrupts
 * @irqs: interrupts by vector
 * @spurious: interrupts that were none
 * @timer: timer interrupts
 * @stamp_errors: stamp job stopped by an error
 * @ring_errors: a ring halted
 */
struct accel {
	struct kref ref;
	struct pci_dev *pdev;
	struct miscdevice misc;
	int id;
	char name[24];
	struct rw_semaphore remove;
	bool gone;
	void __iomem *regs;
	phys_addr_t mem_start;
	u64 mem_size;
	u32 version;
	unsigned int nr_vectors;
	void *buf;
	dma_addr_t buf_dma;
	size_t buf_size;
	struct accel_ring rings[MIMIC_ACCEL_NR_RINGS];
	struct mutex ctrl;	/* registers of stamp job and timer */
	struct mutex files_lock;	/* @files */
	struct list_head files;
	spinlock_t counters_lock;	/* the counters below */
	u64 irqs[MIMIC_ACCEL_NR_VECTORS];
	u64 spurious;
	u64 timer;
	u64 stamp_errors;
	u64 ring_errors;
};

/**
 * struct accel_file - an open file
 * @accel: device
 * @file: the file
 * @node: in accel.files
 */
struct accel_file {
	struct accel *accel;
	struct file *file;
	struct list_head node;
};

static DEFINE_IDA(accel_ids);

static u32 accel_get(struct accel *a, u32 reg)
{
	return readl(a->regs + reg);
}

static void accel_set(struct accel *a, u32 reg, u32 value)
{
	writel(value, a->regs + reg);
}

static u64 accel_get64(struct accel *a, u32 reg)
{
	u32 lo = accel_get(a, reg);	/* latches the upper half */

	return lo | (u64)accel_get(a, reg + 4) << 32;
}

static void accel_set64(struct accel *a, u32 reg, u64 value)
{
	accel_set(a, reg, lower_32_bits(value));
	accel_set(a, reg + 4, upper_32_bits(value));
}

static u32 ring_reg(const struct accel_ring *r, u32 reg)
{
	return MIMIC_ACCEL_RING(r->index) + reg;
}

static void accel_free(struct kref *ref)
{
	struct accel *a = container_of(ref, struct accel, ref);

	ida_free(&accel_ids, a->id);
	kfree(a);
}

static void accel_put(void *data)
{
	struct accel *a = data;

	kref_put(&a->ref, accel_free);
}

/* --- Completions and interrupts --- */

/* Count what the device has completed; says how many commands that were. */
static unsigned int ring_scan(struct accel_ring *r)
{
	unsigned int n = 0;

	lockdep_assert_held(&r->lock);
	for (;;) {
		struct mimic_accel_cpl *cpl = &r->cpl[r->done & (ring_size - 1)];

		if (le32_to_cpu(READ_ONCE(cpl->seq)) != (u32)(r->done + 1))
			break;
		dma_rmb();	/* seq is written last, so read it first */
		if (cpl->status != cpu_to_le16(MIMIC_ACCEL_CPL_OK))
			r->failed++;
		r->done++;
		n++;
	}
	r->completed += n;
	return n;
}

static void ring_interrupt(struct accel_ring *r)
{
	unsigned long flags;

	spin_lock_irqsave(&r->lock, flags);
	ring_scan(r);
	spin_unlock_irqrestore(&r->lock, flags);
	wake_up_all(&r->wait);
}

/* Some ring halted: find out which, and let those who wait for it know. */
static void ring_check_halted(struct accel_ring *r)
{
	u32 status = accel_get(r->accel, ring_reg(r, MIMIC_ACCEL_RING_STATUS));
	unsigned long flags;
	bool before;

	lockdep_assert_held(&r->accel->counters_lock);
	if (!(status & MIMIC_ACCEL_RING_STATUS_HALTED))
		return;
	spin_lock_irqsave(&r->lock, flags);
	ring_scan(r);
	before = r->halted;
	r->halted = true;
	spin_unlock_irqrestore(&r->lock, flags);
	wake_up_all(&r->wait);
	if (before)
		return;
	r->accel->ring_errors++;
	dev_err_ratelimited(&r->accel->pdev->dev, "ring %u halted\n", r->index);
}

/* The cause may also come from MIMIC_ACCEL_GUEST_TRIGGER: look at the status. */
static void accel_check_stamp(struct accel *a)
{
	u32 status = accel_get(a, MIMIC_ACCEL_STAMP_STATUS);

	lockdep_assert_held(&a->counters_lock);
	if (status == MIMIC_ACCEL_CPL_OK)
		return;
	a->stamp_errors++;
	dev_err_ratelimited(&a->pdev->dev, "the stamp job stopped, status %u\n", status);
}

static void accel_misc_causes(struct accel *a, u32 causes)
{
	unsigned int i;

	lockdep_assert_held(&a->counters_lock);
	if (causes & MIMIC_ACCEL_INT_TIMER)
		a->timer++;
	if (causes & MIMIC_ACCEL_INT_STAMP)
		accel_check_stamp(a);
	if (causes & MIMIC_ACCEL_INT_RING_ERROR)
		for (i = 0; i < MIMIC_ACCEL_NR_RINGS; i++)
			ring_check_halted(&a->rings[i]);
}

#define ACCEL_INT_MISC \
	(MIMIC_ACCEL_INT_TIMER | MIMIC_ACCEL_INT_STAMP | MIMIC_ACCEL_INT_RING_ERROR)

static irqreturn_t accel_msix_misc(int irq, void *data)
{
	struct accel *a = data;
	unsigned long flags;
	u32 causes;

	causes = accel_get(a, MIMIC_ACCEL_INT_STATUS) & ACCEL_INT_MISC;
	accel_set(a, MIMIC_ACCEL_INT_STATUS, causes);
	spin_lock_irqsave(&a->counters_lock, flags);
	a->irqs[MIMIC_ACCEL_VEC_MISC]++;
	accel_misc_causes(a, causes);
	spin_unlock_irqrestore(&a->counters_lock, flags);
	return IRQ_HANDLED;
}

/*
 * A message comes for each completion that asked for one, whether or not the
 * cause is still pending, so the slow register accesses can be left out.
 */
static irqreturn_t accel_msix_ring(int irq, void *data)
{
	struct accel_ring *r = data;
	struct accel *a = r->accel;
	unsigned long flags;

	spin_lock_irqsave(&a->counters_lock, flags);
	a->irqs[MIMIC_ACCEL_VEC_RING(r->index)]++;
	spin_unlock_irqrestore(&a->counters_lock, flags);
	ring_interrupt(r);
	return IRQ_HANDLED;
}

/* The level falls when all causes are cleared; clear first, then look. */
static irqreturn_t accel_intx(int irq, void *data)
{
	struct accel *a = data;
	u32 causes = accel_get(a, MIMIC_ACCEL_INT_STATUS);
	unsigned long flags;
	unsigned int i;

	spin_lock_irqsave(&a->counters_lock, flags);
	if (!(causes & MIMIC_ACCEL_INT_ALL) || causes == ~0u) {
		a->spurious++;
		spin_unlock_irqrestore(&a->counters_lock, flags);
		return IRQ_NONE;
	}
	accel_set(a, MIMIC_ACCEL_INT_STATUS, causes);
	if (causes & ACCEL_INT_MISC)
		a->irqs[MIMIC_ACCEL_VEC_MISC]++;
	for (i = 0; i < MIMIC_ACCEL_NR_RINGS; i++)
		if (causes & MIMIC_ACCEL_INT_RING(i))
			a->irqs[MIMIC_ACCEL_VEC_RING(i)]++;
	accel_misc_causes(a, causes);
	spin_unlock_irqrestore(&a->counters_lock, flags);

	for (i = 0; i < MIMIC_ACCEL_NR_RINGS; i++)
		if (causes & MIMIC_ACCEL_INT_RING(i))
			ring_interrupt(&a->rings[i]);
	return IRQ_HANDLED;
}

/* --- Rings --- */

static void ring_disable(struct accel_ring *r)
{
	accel_set(r->accel, ring_reg(r, MIMIC_ACCEL_RING_CTRL), 0);
}

/* (Re)start a ring with nothing in it. */
static int ring_enable(struct accel_ring *r)
{
	struct accel *a = r->accel;
	unsigned long flags;
	u32 status;

	ring_disable(r);
	memset(r->cpl, 0, ring_size * sizeof(*r->cpl));
	spin_lock_irqsave(&r->lock, flags);
	r->done = 0;
	r->halted = false;
	spin_unlock_irqrestore(&r->lock, flags);
	r->tail = 0;

	accel_set64(a, ring_reg(r, MIMIC_ACCEL_RING_DESC_LO), r->desc_dma);
	accel_set64(a, ring_reg(r, MIMIC_ACCEL_RING_CPL_LO), r->cpl_dma);
	accel_set(a, ring_reg(r, MIMIC_ACCEL_RING_SIZE), ring_size);
	accel_set(a, ring_reg(r, MIMIC_ACCEL_RING_CTRL),
		  MIMIC_ACCEL_RING_CTRL_ENABLE);
	status = accel_get(a, ring_reg(r, MIMIC_ACCEL_RING_STATUS));
	if (!(status & MIMIC_ACCEL_RING_STATUS_ENABLED)) {
		dev_err(&a->pdev->dev, "ring %u: the device refused to enable it\n",
			r->index);
		return -EIO;
	}
	return 0;
}

static int ring_init(struct accel *a, unsigned int index)
{
	struct accel_ring *r = &a->rings[index];
	struct device *dev = &a->pdev->dev;

	r->desc = dmam_alloc_coherent(dev, ring_size * sizeof(*r->desc),
				      &r->desc_dma, GFP_KERNEL);
	r->cpl = dmam_alloc_coherent(dev, ring_size * sizeof(*r->cpl),
				     &r->cpl_dma, GFP_KERNEL);
	r->spans = devm_kcalloc(dev, ring_size, sizeof(*r->spans), GFP_KERNEL);
	return r->desc && r->cpl && r->spans ? 0 : -ENOMEM;
}

static bool ring_reached(struct accel_ring *r, u64 target)
{
	unsigned long flags;
	bool reached;

	spin_lock_irqsave(&r->lock, flags);
	reached = r->done >= target || r->halted;
	spin_unlock_irqrestore(&r->lock, flags);
	return reached || READ_ONCE(r->accel->gone);
}

/* Look for completions that no interrupt told of: true if the target is there. */
static bool ring_find_lost(struct accel_ring *r, u64 target)
{
	struct accel *a = r->accel;
	unsigned long flags;
	unsigned int n = 0;
	bool reached = false;

	down_read(&a->remove);
	if (!a->gone) {
		spin_lock_irqsave(&r->lock, flags);
		n = ring_scan(r);
		r->lost += n;
		reached = r->done >= target;
		spin_unlock_irqrestore(&r->lock, flags);
	}
	up_read(&a->remove);
	if (n) {
		dev_warn_ratelimited(&a->pdev->dev, "ring %u: lost interrupt, %u commands complete\n",
				     r->index, n);
		wake_up_all(&r->wait);
	}
	return reached;
}

/*
 * Sleep until @target commands are complete. Called without locks that
 * remove() or another waiter may need, except accel_ring.submit. The caller
 * has to look at gone and halted afterwards.
 */
static int ring_wait(struct accel_ring *r, u64 target)
{
	long left;

	left = wait_event_interruptible_timeout(r->wait, ring_reached(r, target),
						msecs_to_jiffies(timeout_ms));
	if (left < 0)
		return left;
	if (left == 0 && !ring_find_lost(r, target))
		return -ETIMEDOUT;
	return 0;
}

static u64 ring_done(struct accel_ring *r, bool *halted)
{
	unsigned long flags;
	u64 done;

	spin_lock_irqsave(&r->lock, flags);
	done = r->done;
	*halted = r->halted;
	spin_unlock_irqrestore(&r->lock, flags);
	return done;
}

/* --- Commands --- */

/* Which operands of a command are guest memory. */
static bool cmd_src_in_guest(u16 opcode)
{
	return opcode == MIMIC_ACCEL_OP_COPY_G2D || opcode == MIMIC_ACCEL_OP_CRC_G;
}

static bool cmd_dst_in_guest(u16 opcode)
{
	return opcode == MIMIC_ACCEL_OP_COPY_D2G || opcode == MIMIC_ACCEL_OP_FILL_G;
}

static int cmd_check(const struct accel *a, const struct mimic_accel_guest_cmd *c)
{
	u64 off = cmd_src_in_guest(c->opcode) ? c->src : c->dst;

	if (c->reserved || c->flags & ~MIMIC_ACCEL_DESC_IRQ ||
	    c->opcode > MIMIC_ACCEL_OP_CRC_G)
		return -EINVAL;
	if (!cmd_src_in_guest(c->opcode) && !cmd_dst_in_guest(c->opcode))
		return 0;
	if (c->len > a->buf_size || off > a->buf_size - c->len)
		return -EINVAL;
	return 0;
}

static struct mimic_accel_guest_cmd *cmds_from_user(struct accel *a, u64 addr,
						    u32 nr)
{
	struct mimic_accel_guest_cmd *cmds;
	int err;
	u32 i;

	cmds = memdup_user(u64_to_user_ptr(addr), array_size(nr, sizeof(*cmds)));
	if (IS_ERR(cmds))
		return cmds;
	for (i = 0; i < nr; i++) {
		err = cmd_check(a, &cmds[i]);
		if (err) {
			kfree(cmds);
			return ERR_PTR(err);
		}
	}
	return cmds;
}

/* Put a checked command into the next slot. */
static void ring_put(struct accel_ring *r, const struct mimic_accel_guest_cmd *c,
		     bool last)
{
	unsigned int slot = r->tail & (ring_size - 1);
	struct mimic_accel_desc *d = &r->desc[slot];
	bool in = cmd_src_in_guest(c->opcode), out = cmd_dst_in_guest(c->opcode);
	struct accel *a = r->accel;

	lockdep_assert_held(&r->submit);
	r->spans[slot].off = in ? c->src : c->dst;
	r->spans[slot].len = in || out ? c->len : 0;
	if (r->spans[slot].len)
		dma_sync_single_for_device(&a->pdev->dev,
					   a->buf_dma + r->spans[slot].off,
					   c->len, DMA_BIDIRECTIONAL);
	memset(d, 0, sizeof(*d));
	d->opcode = cpu_to_le16(c->opcode);
	d->flags = cpu_to_le16(last ? c->flags | MIMIC_ACCEL_DESC_IRQ : c->flags);
	d->cookie = cpu_to_le32(c->cookie);
	d->src = cpu_to_le64(in ? a->buf_dma + c->src : c->src);
	d->dst = cpu_to_le64(out ? a->buf_dma + c->dst : c->dst);
	d->len = cpu_to_le32(c->len);
	d->pattern = cpu_to_le64(c->pattern);
	r->tail++;
}

static int ring_kick(struct accel_ring *r, const struct mimic_accel_guest_cmd *cmds,
		     u32 nr)
{
	struct accel *a = r->accel;
	unsigned long flags;
	int err = 0;
	bool halted;
	u32 i;

	lockdep_assert_held(&r->submit);
	down_read(&a->remove);
	ring_done(r, &halted);
	if (a->gone) {
		err = -ENODEV;
	} else if (halted) {
		err = -EIO;
	} else {
		for (i = 0; i < nr; i++)
			ring_put(r, &cmds[i], i == nr - 1);
		/* writel() orders the descriptors, in coherent memory, too */
		accel_set(a, ring_reg(r, MIMIC_ACCEL_RING_TAIL), (u32)r->tail);
		spin_lock_irqsave(&r->lock, flags);
		r->submitted += nr;
		spin_unlock_irqrestore(&r->lock, flags);
	}
	up_read(&a->remove);
	return err;
}

/* A ring belongs to the file that used it first; a halted one starts anew. */
static int ring_claim(struct accel_ring *r, struct accel_file *af)
{
	struct accel *a = r->accel;
	int err = 0;
	bool halted;

	lockdep_assert_held(&r->submit);
	if (r->owner == af)
		return 0;
	if (r->owner)
		return -EBUSY;
	down_read(&a->remove);
	ring_done(r, &halted);
	if (a->gone)
		err = -ENODEV;
	else if (halted)
		err = ring_enable(r);
	up_read(&a->remove);
	if (!err)
		r->owner = af;
	return err;
}

static struct accel_ring *ring_of(struct accel *a, u32 index)
{
	if (index >= MIMIC_ACCEL_NR_RINGS)
		return NULL;
	return &a->rings[array_index_nospec(index, MIMIC_ACCEL_NR_RINGS)];
}

static int ring_submit(struct accel_ring *r, struct accel_file *af,
		       const struct mimic_accel_guest_cmd *cmds,
		       struct mimic_accel_guest_submit *s)
{
	int err;

	err = mutex_lock_interruptible(&r->submit);
	if (err)
		return err;
	err = ring_claim(r, af);
	if (!err && r->tail + s->nr > ring_size - 1)
		err = ring_wait(r, r->tail + s->nr - (ring_size - 1));
	if (!err) {
		s->first = r->tail;
		err = ring_kick(r, cmds, s->nr);
	}
	mutex_unlock(&r->submit);
	return err;
}

static long accel_submit(struct accel_file *af, void __user *arg)
{
	struct accel *a = af->accel;
	struct mimic_accel_guest_cmd *cmds;
	struct mimic_accel_guest_submit s;
	struct accel_ring *r;
	int err;

	if (copy_from_user(&s, arg, sizeof(s)))
		return -EFAULT;
	r = ring_of(a, s.ring);
	if (!r || !s.nr || s.nr > ring_size - 1)
		return -EINVAL;
	cmds = cmds_from_user(a, s.cmds, s.nr);
	if (IS_ERR(cmds))
		return PTR_ERR(cmds);
	err = ring_submit(r, af, cmds, &s);
	kfree(cmds);
	if (err)
		return err;
	return copy_to_user(arg, &s, sizeof(s)) ? -EFAULT : 0;
}

/*
 * Read the results of complete commands; the slots cannot be used again
 * meanwhile, since the caller keeps others from submitting.
 */
static int ring_results(struct accel_ring *r, u64 first, u32 nr,
			struct mimic_accel_guest_result *res)
{
	struct accel *a = r->accel;
	u64 done;
	bool halted;
	u32 i;

	lockdep_assert_held(&r->submit);
	lockdep_assert_held_read(&a->remove);
	if (a->gone)
		return -ENODEV;
	done = ring_done(r, &halted);
	if (first + nr > done)
		return halted ? -EIO : -ETIMEDOUT;
	if (r->tail - first > ring_size)
		return -ESTALE;
	for (i = 0; i < nr; i++) {
		unsigned int slot = (first + i) & (ring_size - 1);
		const struct mimic_accel_cpl *cpl = &r->cpl[slot];

		if (r->spans[slot].len)
			dma_sync_single_for_cpu(&a->pdev->dev,
						a->buf_dma + r->spans[slot].off,
						r->spans[slot].len,
						DMA_BIDIRECTIONAL);
		res[i].cookie = le32_to_cpu(cpl->cookie);
		res[i].status = le16_to_cpu(cpl->status);
		res[i].done = le32_to_cpu(cpl->done);
		res[i].result = le32_to_cpu(cpl->result);
	}
	return 0;
}

/* Were these commands submitted, by this file? */
static int ring_check_wait(struct accel_ring *r, struct accel_file *af,
			   const struct mimic_accel_guest_wait *w)
{
	int err;

	err = mutex_lock_interruptible(&r->submit);
	if (err)
		return err;
	if (r->owner != af)
		err = -EINVAL;
	else if (w->first > r->tail || w->nr > r->tail - w->first)
		err = -EINVAL;
	mutex_unlock(&r->submit);
	return err;
}

static int ring_collect(struct accel_ring *r, const struct mimic_accel_guest_wait *w,
			struct mimic_accel_guest_result *res)
{
	int err;

	err = mutex_lock_interruptible(&r->submit);
	if (err)
		return err;
	down_read(&r->accel->remove);
	err = ring_results(r, w->first, w->nr, res);
	up_read(&r->accel->remove);
	mutex_unlock(&r->submit);
	return err;
}

static long accel_wait(struct accel_file *af, void __user *arg)
{
	struct mimic_accel_guest_result *res;
	struct mimic_accel_guest_wait w;
	struct accel_ring *r;
	int err;

	if (copy_from_user(&w, arg, sizeof(w)))
		return -EFAULT;
	r = ring_of(af->accel, w.ring);
	if (!r || !w.nr || w.nr > ring_size - 1)
		return -EINVAL;
	err = ring_check_wait(r, af, &w);
	if (err)
		return err;
	err = ring_wait(r, w.first + w.nr);
	if (err)
		return err;

	res = kcalloc(w.nr, sizeof(*res), GFP_KERNEL);
	if (!res)
		return -ENOMEM;
	err = ring_collect(r, &w, res);
	if (!err && w.results &&
	    copy_to_user(u64_to_user_ptr(w.results), res, w.nr * sizeof(*res)))
		err = -EFAULT;
	kfree(res);
	return err;
}

/* --- Stamp job, timer and the rest --- */

/* What the job is, out of the registers: they say it also after a migration. */
static void stamp_read(struct accel *a, struct mimic_accel_guest_stamp *s)
{
	u64 addr;

	lockdep_assert_held(&a->ctrl);
	memset(s, 0, sizeof(*s));
	s->running = accel_get(a, MIMIC_ACCEL_STAMP_CTRL) & MIMIC_ACCEL_STAMP_CTRL_RUN;
	s->rate = accel_get(a, MIMIC_ACCEL_STAMP_RATE);
	s->dev_off = accel_get64(a, MIMIC_ACCEL_STAMP_DEV_LO);
	s->dev_pages = accel_get(a, MIMIC_ACCEL_STAMP_DEV_PAGES);
	s->buf_pages = accel_get(a, MIMIC_ACCEL_STAMP_GUEST_PAGES);
	addr = accel_get64(a, MIMIC_ACCEL_STAMP_GUEST_LO);
	s->buf_off = s->buf_pages ? addr - a->buf_dma : 0;
	s->seq = accel_get64(a, MIMIC_ACCEL_STAMP_SEQ_LO);
	s->status = accel_get(a, MIMIC_ACCEL_STAMP_STATUS);
}

static bool pages_fit(u64 off, u32 pages, u64 size)
{
	return IS_ALIGNED(off, MIMIC_ACCEL_PAGE_SIZE) && off <= size &&
	       pages <= (size - off) / MIMIC_ACCEL_PAGE_SIZE;
}

static int stamp_start(struct accel *a, const struct mimic_accel_guest_stamp *s)
{
	u32 ctrl = MIMIC_ACCEL_STAMP_CTRL_RUN;

	lockdep_assert_held(&a->ctrl);
	if (accel_get(a, MIMIC_ACCEL_STAMP_CTRL) & MIMIC_ACCEL_STAMP_CTRL_RUN)
		return -EBUSY;
	accel_set(a, MIMIC_ACCEL_STAMP_RATE, s->rate);
	accel_set64(a, MIMIC_ACCEL_STAMP_DEV_LO, s->dev_off);
	accel_set(a, MIMIC_ACCEL_STAMP_DEV_PAGES, s->dev_pages);
	accel_set(a, MIMIC_ACCEL_STAMP_GUEST_PAGES, s->buf_pages);
	accel_set64(a, MIMIC_ACCEL_STAMP_GUEST_LO,
		    s->buf_pages ? a->buf_dma + s->buf_off : 0);
	if (s->flags & MIMIC_ACCEL_GUEST_STAMP_KEEP)
		ctrl |= MIMIC_ACCEL_STAMP_CTRL_KEEP;
	if (s->buf_pages)
		dma_sync_single_for_device(&a->pdev->dev, a->buf_dma + s->buf_off,
					   (size_t)s->buf_pages * MIMIC_ACCEL_PAGE_SIZE,
					   DMA_BIDIRECTIONAL);
	accel_set(a, MIMIC_ACCEL_STAMP_CTRL, ctrl);
	if (!(accel_get(a, MIMIC_ACCEL_STAMP_CTRL) & MIMIC_ACCEL_STAMP_CTRL_RUN) &&
	    !accel_get(a, MIMIC_ACCEL_STAMP_STATUS))
		return -EINVAL;	/* the device did not like the parameters */
	return 0;
}

static int accel_stamp_start(struct accel *a, const struct mimic_accel_guest_stamp *s)
{
	int err;

	if (s->flags & ~MIMIC_ACCEL_GUEST_STAMP_KEEP ||
	    !pages_fit(s->buf_off, s->buf_pages, a->buf_size) ||
	    !pages_fit(s->dev_off, s->dev_pages, a->mem_size))
		return -EINVAL;
	mutex_lock(&a->ctrl);
	err = stamp_start(a, s);
	mutex_unlock(&a->ctrl);
	return err;
}

static int accel_stamp_get(struct accel *a, struct mimic_accel_guest_stamp *s,
			   bool stop)
{
	mutex_lock(&a->ctrl);
	if (stop)
		accel_set(a, MIMIC_ACCEL_STAMP_CTRL, 0);
	stamp_read(a, s);
	if (stop && s->buf_pages && pages_fit(s->buf_off, s->buf_pages, a->buf_size))
		dma_sync_single_for_cpu(&a->pdev->dev, a->buf_dma + s->buf_off,
					(size_t)s->buf_pages * MIMIC_ACCEL_PAGE_SIZE,
					DMA_BIDIRECTIONAL);
	mutex_unlock(&a->ctrl);
	return 0;
}

static int accel_info(struct accel *a, struct mimic_accel_guest_info *info)
{
	info->version = a->version;
	info->nr_rings = MIMIC_ACCEL_NR_RINGS;
	info->ring_size = ring_size;
	info->nr_vectors = a->nr_vectors;
	info->mem_size = a->mem_size;
	info->buf_size = a->buf_size;
	info->buf_addr = a->buf_dma;
	return 0;
}

static int accel_counters(struct accel *a, struct mimic_accel_guest_counters *c)
{
	unsigned int i;

	spin_lock_irq(&a->counters_lock);
	memcpy(c->irqs, a->irqs, sizeof(c->irqs));
	c->spurious = a->spurious;
	c->timer = a->timer;
	c->stamp_errors = a->stamp_errors;
	c->ring_errors = a->ring_errors;
	spin_unlock_irq(&a->counters_lock);
	for (i = 0; i < MIMIC_ACCEL_NR_RINGS; i++) {
		struct accel_ring *r = &a->rings[i];

		spin_lock_irq(&r->lock);
		c->submitted[i] = r->submitted;
		c->completed[i] = r->completed;
		c->failed[i] = r->failed;
		c->lost[i] = r->lost;
		spin_unlock_irq(&r->lock);
	}
	return 0;
}

static int accel_reg(struct accel *a, struct mimic_accel_guest_reg *reg)
{
	if (reg->off % 4 || reg->off >= MIMIC_ACCEL_REGS_SIZE)
		return -EINVAL;
	reg->value = accel_get(a, array_index_nospec(reg->off, MIMIC_ACCEL_REGS_SIZE));
	return 0;
}

static int accel_timer(struct accel *a, unsigned long period)
{
	if (period > U32_MAX)
		return -EINVAL;
	mutex_lock(&a->ctrl);
	accel_set(a, MIMIC_ACCEL_TIMER_PERIOD, period);
	mutex_unlock(&a->ctrl);
	return 0;
}

static int accel_trigger(struct accel *a, unsigned long causes)
{
	if (causes & ~(unsigned long)MIMIC_ACCEL_INT_ALL)
		return -EINVAL;
	accel_set(a, MIMIC_ACCEL_INT_TRIGGER, causes);
	return 0;
}

/* Argument of a call that does not sleep for the device. */
union accel_arg {
	struct mimic_accel_guest_info info;
	struct mimic_accel_guest_counters counters;
	struct mimic_accel_guest_stamp stamp;
	struct mimic_accel_guest_reg reg;
};

static int accel_call(struct accel *a, unsigned int cmd, union accel_arg *u,
		      unsigned long arg)
{
	lockdep_assert_held_read(&a->remove);
	switch (cmd) {
	case MIMIC_ACCEL_GUEST_INFO:
		return accel_info(a, &u->info);
	case MIMIC_ACCEL_GUEST_COUNTERS:
		return accel_counters(a, &u->counters);
	case MIMIC_ACCEL_GUEST_STAMP_START:
		return accel_stamp_start(a, &u->stamp);
	case MIMIC_ACCEL_GUEST_STAMP_STOP:
		return accel_stamp_get(a, &u->stamp, true);
	case MIMIC_ACCEL_GUEST_STAMP_GET:
		return accel_stamp_get(a, &u->stamp, false);
	case MIMIC_ACCEL_GUEST_REG:
		return accel_reg(a, &u->reg);
	case MIMIC_ACCEL_GUEST_TIMER:
		return accel_timer(a, arg);
	case MIMIC_ACCEL_GUEST_TRIGGER:
		return accel_trigger(a, arg);
	default:
		return -ENOTTY;
	}
}

static long accel_ioctl(struct file *file, unsigned int cmd, unsigned long arg)
{
	void __user *uarg = (void __user *)arg;
	struct accel_file *af = file->private_data;
	struct accel *a = af->accel;
	union accel_arg u = {};
	int err;

	if (cmd == MIMIC_ACCEL_GUEST_SUBMIT)
		return accel_submit(af, uarg);
	if (cmd == MIMIC_ACCEL_GUEST_WAIT)
		return accel_wait(af, uarg);
	if (_IOC_SIZE(cmd) > sizeof(u))
		return -ENOTTY;
	if (_IOC_DIR(cmd) & _IOC_WRITE && copy_from_user(&u, uarg, _IOC_SIZE(cmd)))
		return -EFAULT;
	down_read(&a->remove);
	err = a->gone ? -ENODEV : accel_call(a, cmd, &u, arg);
	up_read(&a->remove);
	if (!err && _IOC_DIR(cmd) & _IOC_READ &&
	    copy_to_user(uarg, &u, _IOC_SIZE(cmd)))
		err = -EFAULT;
	return err;
}

/* --- mmap --- */

static vm_fault_t accel_fault_buf(struct vm_fault *vmf)
{
	struct accel_file *af = vmf->vma->vm_file->private_data;
	struct accel *a = af->accel;
	vm_fault_t ret = VM_FAULT_SIGBUS;

	/* gone: the driver's own reference to the pages may be gone as well */
	down_read(&a->remove);
	if (!a->gone && vmf->pgoff < a->buf_size >> PAGE_SHIFT) {
		vmf->page = virt_to_page(a->buf + (vmf->pgoff << PAGE_SHIFT));
		get_page(vmf->page);
		ret = 0;
	}
	up_read(&a->remove);
	return ret;
}

static const struct vm_operations_struct accel_buf_vm_ops = {
	.fault = accel_fault_buf,
};

#define ACCEL_MEM_PGOFF	(MIMIC_ACCEL_GUEST_MMAP_MEM >> PAGE_SHIFT)

/* Page by page, and never after gone is set, so that remove() gets them all. */
static vm_fault_t accel_fault_mem(struct vm_fault *vmf)
{
	struct accel_file *af = vmf->vma->vm_file->private_data;
	struct accel *a = af->accel;
	unsigned long page = vmf->pgoff - ACCEL_MEM_PGOFF;
	vm_fault_t ret = VM_FAULT_SIGBUS;

	down_read(&a->remove);
	if (!a->gone && page < a->mem_size >> PAGE_SHIFT)
		ret = vmf_insert_pfn(vmf->vma, vmf->address,
				     PHYS_PFN(a->mem_start) + page);
	up_read(&a->remove);
	return ret;
}

static const struct vm_operations_struct accel_mem_vm_ops = {
	.fault = accel_fault_mem,
};

static int accel_mmap(struct file *file, struct vm_area_struct *vma)
{
	struct accel_file *af = file->private_data;
	struct accel *a = af->accel;
	bool mem = vma->vm_pgoff >= ACCEL_MEM_PGOFF;
	unsigned long first = mem ? vma->vm_pgoff - ACCEL_MEM_PGOFF : vma->vm_pgoff;
	unsigned long pages = (mem ? a->mem_size : a->buf_size) >> PAGE_SHIFT;

	if (!(vma->vm_flags & VM_SHARED) || first > pages ||
	    vma_pages(vma) > pages - first)
		return -EINVAL;
	if (READ_ONCE(a->gone))
		return -ENODEV;
	if (mem) {
		vma->vm_page_prot = pgprot_writecombine(vma->vm_page_prot);
		vmig_vm_flags_set(vma, VM_PFNMAP | VM_IO | VM_DONTEXPAND | VM_DONTDUMP);
		vma->vm_ops = &accel_mem_vm_ops;
	} else {
		vmig_vm_flags_set(vma, VM_DONTEXPAND | VM_DONTDUMP);
		vma->vm_ops = &accel_buf_vm_ops;
	}
	return 0;
}

/* --- Files --- */

static int accel_open(struct inode *inode, struct file *file)
{
	struct accel *a = container_of(file->private_data, struct accel, misc);
	struct accel_file *af;

	af = kzalloc(sizeof(*af), GFP_KERNEL);
	if (!af)
		return -ENOMEM;
	/* the misc core holds off misc_deregister() in remove() meanwhile */
	kref_get(&a->ref);
	af->accel = a;
	af->file = file;
	file->private_data = af;
	mutex_lock(&a->files_lock);
	list_add(&af->node, &a->files);
	mutex_unlock(&a->files_lock);
	return 0;
}

/* What the file submitted completes all the same, in the driver's own memory. */
static int accel_release(struct inode *inode, struct file *file)
{
	struct accel_file *af = file->private_data;
	struct accel *a = af->accel;
	unsigned int i;

	for (i = 0; i < MIMIC_ACCEL_NR_RINGS; i++) {
		struct accel_ring *r = &a->rings[i];

		mutex_lock(&r->submit);
		if (r->owner == af)
			r->owner = NULL;
		mutex_unlock(&r->submit);
	}
	mutex_lock(&a->files_lock);
	list_del(&af->node);
	mutex_unlock(&a->files_lock);
	kfree(af);
	kref_put(&a->ref, accel_free);
	return 0;
}

static const struct file_operations accel_fops = {
	.owner = THIS_MODULE,
	.open = accel_open,
	.release = accel_release,
	.unlocked_ioctl = accel_ioctl,
	.compat_ioctl = compat_ptr_ioctl,
	.mmap = accel_mmap,
	.llseek = noop_llseek,
};

/* --- Probe and remove --- */

static struct accel *accel_alloc(struct pci_dev *pdev)
{
	struct accel *a;
	unsigned int i;

	a = kzalloc(sizeof(*a), GFP_KERNEL);
	if (!a)
		return ERR_PTR(-ENOMEM);
	a->id = ida_alloc(&accel_ids, GFP_KERNEL);
	if (a->id < 0) {
		int err = a->id;

		kfree(a);
		return ERR_PTR(err);
	}
	kref_init(&a->ref);
	a->pdev = pdev;
	init_rwsem(&a->remove);
	mutex_init(&a->ctrl);
	mutex_init(&a->files_lock);
	INIT_LIST_HEAD(&a->files);
	spin_lock_init(&a->counters_lock);
	for (i = 0; i < MIMIC_ACCEL_NR_RINGS; i++) {
		struct accel_ring *r = &a->rings[i];

		r->accel = a;
		r->index = i;
		mutex_init(&r->submit);
		spin_lock_init(&r->lock);
		init_waitqueue_head(&r->wait);
	}
	return a;
}

/* Map the BARs, and see that they are what the register map says. */
static int accel_map(struct accel *a)
{
	struct pci_dev *pdev = a->pdev;
	struct device *dev = &pdev->dev;
	u32 id;
	int err;

	err = pcim_iomap_regions(pdev, BIT(MIMIC_ACCEL_BAR_REGS), DRV_NAME);
	if (err)
		return err;
	a->regs = pcim_iomap_table(pdev)[MIMIC_ACCEL_BAR_REGS];
	a->mem_start = pci_resource_start(pdev, MIMIC_ACCEL_BAR_MEM);
	a->mem_size = pci_resource_len(pdev, MIMIC_ACCEL_BAR_MEM);
	if (!devm_request_mem_region(dev, a->mem_start, a->mem_size, DRV_NAME))
		return -EBUSY;

	id = accel_get(a, MIMIC_ACCEL_ID);
	a->version = accel_get(a, MIMIC_ACCEL_VERSION);
	if (id != MIMIC_ACCEL_ID_VALUE ||
	    a->version >> 16 != MIMIC_ACCEL_VERSION_VALUE >> 16) {
		dev_err(dev, "unknown device: id %#x, version %#x\n", id, a->version);
		return -ENODEV;
	}
	if (accel_get64(a, MIMIC_ACCEL_MEM_SIZE_LO) != a->mem_size) {
		dev_err(dev, "memory size register and BAR differ\n");
		return -ENODEV;
	}
	return 0;
}

static void accel_free_buf(void *data)
{
	struct accel *a = data;

	dma_unmap_single(&a->pdev->dev, a->buf_dma, a->buf_size, DMA_BIDIRECTIONAL);
	/* one page at a time: those that are mapped stay until they are not */
	free_pages_exact(a->buf, a->buf_size);
}

static int accel_alloc_buf(struct accel *a)
{
	struct device *dev = &a->pdev->dev;

	a->buf_size = (size_t)buffer_kib * SZ_1K;
	a->buf = alloc_pages_exact(a->buf_size, GFP_KERNEL | __GFP_ZERO);
	if (!a->buf)
		return -ENOMEM;
	a->buf_dma = dma_map_single(dev, a->buf, a->buf_size, DMA_BIDIRECTIONAL);
	if (dma_mapping_error(dev, a->buf_dma)) {
		free_pages_exact(a->buf, a->buf_size);
		return -ENOMEM;
	}
	return devm_add_action_or_reset(dev, accel_free_buf, a);
}

static int accel_request_msix(struct accel *a)
{
	struct device *dev = &a->pdev->dev;
	unsigned int i;
	int err;

	err = devm_request_irq(dev, pci_irq_vector(a->pdev, MIMIC_ACCEL_VEC_MISC),
			       accel_msix_misc, 0, a->name, a);
	for (i = 0; i < MIMIC_ACCEL_NR_RINGS && !err; i++)
		err = devm_request_irq(dev,
				       pci_irq_vector(a->pdev, MIMIC_ACCEL_VEC_RING(i)),
				       accel_msix_ring, 0, a->name, &a->rings[i]);
	return err;
}

static int accel_request_irqs(struct accel *a)
{
	int n = -ENOSPC;

	if (!intx)
		n = pci_alloc_irq_vectors(a->pdev, MIMIC_ACCEL_NR_VECTORS,
					  MIMIC_ACCEL_NR_VECTORS, PCI_IRQ_MSIX);
	if (n > 0) {
		a->nr_vectors = n;
		return accel_request_msix(a);
	}
	/* what is left of all types without messages is INTx */
	n = pci_alloc_irq_vectors(a->pdev, 1, 1,
				  PCI_IRQ_ALL_TYPES & ~(PCI_IRQ_MSI | PCI_IRQ_MSIX));
	if (n < 0)
		return n;
	return devm_request_irq(&a->pdev->dev, pci_irq_vector(a->pdev, 0),
				accel_intx, IRQF_SHARED, a->name, a);
}

static void accel_stop(struct accel *a)
{
	unsigned int i;

	accel_set(a, MIMIC_ACCEL_INT_MASK, MIMIC_ACCEL_INT_ALL);
	accel_set(a, MIMIC_ACCEL_TIMER_PERIOD, 0);
	accel_set(a, MIMIC_ACCEL_STAMP_CTRL, 0);
	for (i = 0; i < MIMIC_ACCEL_NR_RINGS; i++)
		ring_disable(&a->rings[i]);
	accel_set(a, MIMIC_ACCEL_INT_STATUS, MIMIC_ACCEL_INT_ALL);
}

static int accel_start(struct accel *a)
{
	unsigned int i;
	int err;

	for (i = 0; i < MIMIC_ACCEL_NR_RINGS; i++) {
		err = ring_enable(&a->rings[i]);
		if (err)
			return err;
	}
	accel_set(a, MIMIC_ACCEL_INT_MASK, 0);
	return 0;
}

static int accel_register(struct accel *a)
{
	a->misc.minor = MISC_DYNAMIC_MINOR;
	a->misc.name = a->name;
	a->misc.fops = &accel_fops;
	a->misc.parent = &a->pdev->dev;
	a->misc.mode = 0600;
	return misc_register(&a->misc);
}

/* All that the device core gives back by itself, in reverse order. */
static int accel_acquire(struct accel *a)
{
	struct pci_dev *pdev = a->pdev;
	unsigned int i;
	int err;

	err = pcim_enable_device(pdev);
	if (err)
		return err;
	err = dma_set_mask_and_coherent(&pdev->dev, DMA_BIT_MASK(64));
	if (err)
		return err;
	err = accel_map(a);
	if (err)
		return err;
	accel_stop(a);	/* whoever had it before may have left it running */
	for (i = 0; i < MIMIC_ACCEL_NR_RINGS; i++) {
		err = ring_init(a, i);
		if (err)
			return err;
	}
	err = accel_alloc_buf(a);
	if (err)
		return err;
	pci_set_master(pdev);
	return accel_request_irqs(a);
}

static int accel_probe(struct pci_dev *pdev, const struct pci_device_id *id)
{
	struct accel *a;
	int err;

	a = accel_alloc(pdev);
	if (IS_ERR(a))
		return PTR_ERR(a);
	err = devm_add_action_or_reset(&pdev->dev, accel_put, a);
	if (err)
		return err;
	snprintf(a->name, sizeof(a->name), "mimic_accel%d", a->id);
	err = accel_acquire(a);
	if (err)
		return dev_err_probe(&pdev->dev, err, "cannot set up the device\n");

	pci_set_drvdata(pdev, a);
	err = accel_start(a);
	if (!err)
		err = accel_register(a);
	if (err) {
		accel_stop(a);
		pci_clear_master(pdev);
		return err;
	}
	dev_info(&pdev->dev, "%s: %llu MiB of memory, %u rings, %s\n", a->name,
		 a->mem_size >> 20, MIMIC_ACCEL_NR_RINGS,
		 a->nr_vectors ? "MSI-X" : "INTx");
	return 0;
}

static void accel_remove(struct pci_dev *pdev)
{
	struct accel *a = pci_get_drvdata(pdev);
	struct accel_file *af;
	unsigned int i;

	misc_deregister(&a->misc);
	down_write(&a->remove);
	WRITE_ONCE(a->gone, true);
	up_write(&a->remove);

	for (i = 0; i < MIMIC_ACCEL_NR_RINGS; i++)
		wake_up_all(&a->rings[i].wait);
	mutex_lock(&a->files_lock);
	list_for_each_entry(af, &a->files, node)
		unmap_mapping_range(af->file->f_mapping,
				    MIMIC_ACCEL_GUEST_MMAP_MEM, a->mem_size, 1);
	mutex_unlock(&a->files_lock);
	accel_stop(a);
	pci_clear_master(pdev);
}

static const struct pci_device_id accel_pci_ids[] = {
	{ PCI_DEVICE(MIMIC_PCI_VENDOR_ID, MIMIC_ACCEL_PCI_DEVICE_ID) },
	{}
};
MODULE_DEVICE_TABLE(pci, accel_pci_ids);

static struct pci_driver accel_driver = {
	.name = DRV_NAME,
	.id_table = accel_pci_ids,
	.probe = accel_probe,
	.remove = accel_remove,
};

static int accel_check_param(const char *name, unsigned int value,
			     unsigned int min, unsigned int max, bool power)
{
	if (value >= min && value <= max && (!power || is_power_of_2(value)))
		return 0;
	pr_err(DRV_NAME ": %s=%u is not %sin %u to %u\n", name, value,
	       power ? "a power of two " : "", min, max);
	return -EINVAL;
}

static int __init accel_module_init(void)
{
	if (accel_check_param("ring_size", ring_size, MIN_RING, MAX_RING, true) ||
	    accel_check_param("buffer_kib", buffer_kib, MIN_BUF_KIB, MAX_BUF_KIB, true) ||
	    accel_check_param("timeout_ms", timeout_ms, 1, MAX_TIMEOUT_MS, false))
		return -EINVAL;
	return pci_register_driver(&accel_driver);
}
module_init(accel_module_init);

static void __exit accel_module_exit(void)
{
	pci_unregister_driver(&accel_driver);
}
module_exit(accel_module_exit);

MODULE_DESCRIPTION("Guest driver of the mimic accel device");
MODULE_LICENSE("GPL");
