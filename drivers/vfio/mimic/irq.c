// SPDX-License-Identifier: GPL-2.0-only
/*
 * Interrupts: INTx, MSI-X, ERR and REQ, delivered to eventfds.
 *
 * What the client set up with SET_IRQS decides where an interrupt goes. A message
 * that has nowhere to go, or comes while the device is stopped, is pending: one
 * bit per vector, as in hardware. It goes out, once, when there is an eventfd and
 * the device runs. It is dropped only when MSI-X is neither set up by the client
 * nor enabled in config space, since a client that changes its setup takes it
 * down for a moment while the guest is using it.
 *
 * INTx is a level. It is delivered when it is asserted and may be, and then
 * masked until the client unmasks it; if it is still asserted then, it is
 * delivered again. The mask belongs to this client and never migrates.
 *
 * An eventfd is never signalled under mimic_irqs.lock: whoever is woken may call
 * back here. So it is picked up and signalled in one read-side section of
 * mimic_irq_srcu, and who takes an eventfd away, or stops the device, waits for
 * such sections: after that it is not signalled any more.
 */
#include <linux/eventfd.h>
#include <linux/nospec.h>
#include <linux/srcu.h>
#include <linux/vfio.h>

#include "mimic.h"
#include "mimic_compat.h"

DEFINE_STATIC_SRCU(mimic_irq_srcu);

/**
 * struct mimic_signals - eventfds to signal
 * @nr: entries of @ctx
 * @ctx: the eventfds, none of them NULL
 */
struct mimic_signals {
	unsigned int nr;
	struct eventfd_ctx *ctx[MIMIC_MAX_VECTORS + 1];
};

static void mimic_signals_add(struct mimic_signals *s, struct eventfd_ctx *ctx)
{
	if (ctx)
		s->ctx[s->nr++] = ctx;
}

static void mimic_signals_send(struct mimic_signals *s)
{
	unsigned int i;

	for (i = 0; i < s->nr; i++)
		mimic_eventfd_signal(s->ctx[i]);
}

static unsigned int mimic_nr_vectors(struct mimic_vdev *v)
{
	return v->model->nr_vectors;
}

/* --- Delivery ----------------------------------------------------------- */

static bool mimic_intx_is_due(struct mimic_irqs *irqs)
{
	lockdep_assert_held(&irqs->lock);
	return irqs->running && irqs->intx && irqs->intx_level &&
	       !irqs->intx_masked && !irqs->intx_disable && !irqs->msix_enable;
}

static void mimic_collect_intx(struct mimic_irqs *irqs, struct mimic_signals *s)
{
	lockdep_assert_held(&irqs->lock);
	if (!mimic_intx_is_due(irqs))
		return;
	irqs->intx_masked = true;
	mimic_signals_add(s, irqs->intx);
}

static void mimic_collect_msix(struct mimic_irqs *irqs, struct mimic_signals *s)
{
	unsigned int i;

	lockdep_assert_held(&irqs->lock);
	if (!irqs->running || !irqs->msix_pending)
		return;
	for (i = 0; i < MIMIC_MAX_VECTORS; i++) {
		if (!(irqs->msix_pending & BIT(i)) || !irqs->msix[i])
			continue;
		irqs->msix_pending &= ~BIT(i);
		mimic_signals_add(s, irqs->msix[i]);
	}
}

/* Send all that waits and can be delivered now. */
static void mimic_irq_deliver(struct mimic_irqs *irqs)
{
	struct mimic_signals s = {};
	unsigned long flags;
	int idx;

	idx = srcu_read_lock(&mimic_irq_srcu);
	spin_lock_irqsave(&irqs->lock, flags);
	mimic_collect_intx(irqs, &s);
	mimic_collect_msix(irqs, &s);
	spin_unlock_irqrestore(&irqs->lock, flags);
	mimic_signals_send(&s);
	srcu_read_unlock(&mimic_irq_srcu, idx);
}

/* Nothing is pending where there are no messages. */
static void mimic_drop_pending(struct mimic_irqs *irqs)
{
	lockdep_assert_held(&irqs->lock);
	if (!irqs->msix_on && !irqs->msix_enable)
		irqs->msix_pending = 0;
}

/* The eventfd that a message goes to, or NULL if it is kept, or has no meaning. */
static struct eventfd_ctx *mimic_route_msix(struct mimic_irqs *irqs,
					    unsigned int vector)
{
	lockdep_assert_held(&irqs->lock);
	if (irqs->running && irqs->msix[vector])
		return irqs->msix[vector];
	irqs->msix_pending |= BIT(vector);
	mimic_drop_pending(irqs);
	return NULL;
}

/**
 * mimic_irq_raise() - send a message
 * @v: device
 * @vector: MSI-X vector, below the model's nr_vectors
 *
 * Pending if it cannot be delivered yet; nothing if the device is not using
 * MSI-X, as then INTx is what interrupts.
 *
 * Context: any. Takes mimic_irqs.lock.
 */
void mimic_irq_raise(struct mimic_vdev *v, unsigned int vector)
{
	struct mimic_irqs *irqs = &v->irqs;
	struct eventfd_ctx *ctx;
	unsigned long flags;
	int idx;

	if (WARN_ON_ONCE(vector >= mimic_nr_vectors(v)))
		return;
	idx = srcu_read_lock(&mimic_irq_srcu);
	spin_lock_irqsave(&irqs->lock, flags);
	ctx = mimic_route_msix(irqs, vector);
	spin_unlock_irqrestore(&irqs->lock, flags);
	if (ctx)
		mimic_eventfd_signal(ctx);
	srcu_read_unlock(&mimic_irq_srcu, idx);
}

/**
 * mimic_irq_set_level() - assert or deassert INTx
 * @v: device
 * @level: true to assert
 *
 * Context: any. Takes mimic_irqs.lock. The caller orders calls that race.
 */
void mimic_irq_set_level(struct mimic_vdev *v, bool level)
{
	struct mimic_irqs *irqs = &v->irqs;
	unsigned long flags;

	spin_lock_irqsave(&irqs->lock, flags);
	irqs->intx_level = level;
	spin_unlock_irqrestore(&irqs->lock, flags);
	if (level)
		mimic_irq_deliver(irqs);
}

/**
 * mimic_irq_intx_level() - whether INTx is asserted
 * @v: device
 *
 * Context: any. Takes mimic_irqs.lock.
 * Return: what mimic_irq_set_level() said last, masked or not.
 */
bool mimic_irq_intx_level(struct mimic_vdev *v)
{
	struct mimic_irqs *irqs = &v->irqs;
	unsigned long flags;
	bool level;

	spin_lock_irqsave(&irqs->lock, flags);
	level = irqs->intx_level;
	spin_unlock_irqrestore(&irqs->lock, flags);
	return level;
}

/**
 * mimic_irq_intx_reassert() - deliver INTx if it is due
 * @v: device
 *
 * Also delivers messages that are pending and can be.
 *
 * Context: any. Takes mimic_irqs.lock.
 */
void mimic_irq_intx_reassert(struct mimic_vdev *v)
{
	mimic_irq_deliver(&v->irqs);
}

/**
 * mimic_irq_set_running() - allow or forbid interrupts
 * @v: device
 * @running: true to allow; what has waited is delivered
 *
 * When this returns after it forbade them, no eventfd is signalled any more on
 * the device's behalf. What is raised meanwhile is kept.
 *
 * Context: process, may sleep. Takes mimic_irqs.lock.
 */
void mimic_irq_set_running(struct mimic_vdev *v, bool running)
{
	struct mimic_irqs *irqs = &v->irqs;
	unsigned long flags;

	spin_lock_irqsave(&irqs->lock, flags);
	irqs->running = running;
	spin_unlock_irqrestore(&irqs->lock, flags);
	if (running)
		mimic_irq_deliver(irqs);
	else
		/* Expedited: this is part of a migration's downtime. */
		synchronize_srcu_expedited(&mimic_irq_srcu);
}

/**
 * mimic_irq_set_config() - config space has changed
 * @v: device
 * @intx_disable: PCI_COMMAND forbids INTx
 * @msix_enable: MSI-X is enabled
 *
 * Context: any. Takes mimic_irqs.lock.
 */
void mimic_irq_set_config(struct mimic_vdev *v, bool intx_disable,
			  bool msix_enable)
{
	struct mimic_irqs *irqs = &v->irqs;
	unsigned long flags;

	spin_lock_irqsave(&irqs->lock, flags);
	WRITE_ONCE(irqs->intx_disable, intx_disable);
	irqs->msix_enable = msix_enable;
	mimic_drop_pending(irqs);
	spin_unlock_irqrestore(&irqs->lock, flags);
	mimic_irq_deliver(irqs);
}

/**
 * mimic_irq_pending() - messages that wait
 * @v: device
 *
 * Context: any. Takes mimic_irqs.lock.
 * Return: one bit per vector.
 */
u32 mimic_irq_pending(struct mimic_vdev *v)
{
	struct mimic_irqs *irqs = &v->irqs;
	unsigned long flags;
	u32 pending;

	spin_lock_irqsave(&irqs->lock, flags);
	pending = irqs->msix_pending;
	spin_unlock_irqrestore(&irqs->lock, flags);
	return pending;
}

/* --- Changing where interrupts go --------------------------------------- */

/* The eventfds have been taken out of reach of new signals: drop them. */
static void mimic_retire(struct eventfd_ctx **ctx, unsigned int nr)
{
	bool any = false;
	unsigned int i;

	for (i = 0; i < nr; i++)
		any |= !!ctx[i];
	if (!any)
		return;
	synchronize_srcu(&mimic_irq_srcu);
	for (i = 0; i < nr; i++)
		if (ctx[i])
			eventfd_ctx_put(ctx[i]);
}

/* Look up eventfds, -1 being none. All or nothing: 0 or a negative errno. */
static int mimic_get_eventfds(const s32 *fds, unsigned int nr,
			      struct eventfd_ctx **ctx)
{
	unsigned int i;

	for (i = 0; i < nr; i++) {
		ctx[i] = fds[i] == -1 ? NULL : eventfd_ctx_fdget(fds[i]);
		if (IS_ERR(ctx[i]))
			goto err_put;
	}
	return 0;

err_put:
	nr = i;
	for (i = 0; i < nr; i++)
		if (ctx[i])
			eventfd_ctx_put(ctx[i]);
	return PTR_ERR(ctx[nr]);
}

static void mimic_replace(struct mimic_irqs *irqs, struct eventfd_ctx **slot,
			  struct eventfd_ctx *ctx)
{
	lockdep_assert_held(&irqs->gate);
	spin_lock_irq(&irqs->lock);
	swap(*slot, ctx);
	spin_unlock_irq(&irqs->lock);
	mimic_retire(&ctx, 1);
}

/* On the client's demand, so whether the device runs or not. */
static void mimic_signal_slots(struct mimic_irqs *irqs,
			       struct eventfd_ctx **slots, unsigned int nr,
			       u32 flags, const u8 *bools)
{
	struct mimic_signals s = {};
	unsigned int i;
	int idx;

	lockdep_assert_held(&irqs->gate);
	idx = srcu_read_lock(&mimic_irq_srcu);
	spin_lock_irq(&irqs->lock);
	for (i = 0; i < nr; i++)
		if ((flags & VFIO_IRQ_SET_DATA_NONE) || bools[i])
			mimic_signals_add(&s, slots[i]);
	spin_unlock_irq(&irqs->lock);
	mimic_signals_send(&s);
	srcu_read_unlock(&mimic_irq_srcu, idx);
}

/* --- INTx --------------------------------------------------------------- */

/*
 * The eventfd that ends the client's interrupt was signalled. This is called
 * under a lock of that eventfd, so leave signalling another one, which may even
 * be the same, to a worker.
 */
static int mimic_intx_unmask_wake(void *opaque, void *unused)
{
	struct mimic_irqs *irqs = opaque;
	unsigned long flags;
	bool due;

	spin_lock_irqsave(&irqs->lock, flags);
	irqs->intx_masked = false;
	due = mimic_intx_is_due(irqs);
	spin_unlock_irqrestore(&irqs->lock, flags);
	return due;
}

static void mimic_intx_unmask_work(void *opaque, void *unused)
{
	mimic_irq_deliver(opaque);
}

static void mimic_intx_set_mask(struct mimic_irqs *irqs, bool mask)
{
	lockdep_assert_held(&irqs->gate);
	spin_lock_irq(&irqs->lock);
	irqs->intx_masked = mask;
	spin_unlock_irq(&irqs->lock);
	mimic_irq_deliver(irqs);
}

static void mimic_intx_disable(struct mimic_irqs *irqs)
{
	lockdep_assert_held(&irqs->gate);
	vfio_virqfd_disable(&irqs->intx_unmask);
	spin_lock_irq(&irqs->lock);
	irqs->intx_on = false;
	irqs->intx_masked = false;
	spin_unlock_irq(&irqs->lock);
	mimic_replace(irqs, &irqs->intx, NULL);
}

static int mimic_intx_enable(struct mimic_irqs *irqs, const s32 *fd)
{
	struct eventfd_ctx *ctx;
	int ret;

	lockdep_assert_held(&irqs->gate);
	ret = mimic_get_eventfds(fd, 1, &ctx);
	if (ret)
		return ret;
	spin_lock_irq(&irqs->lock);
	irqs->intx_on = true;
	spin_unlock_irq(&irqs->lock);
	mimic_replace(irqs, &irqs->intx, ctx);
	mimic_irq_deliver(irqs);
	return 0;
}

static int mimic_intx_set_trigger(struct mimic_vdev *v, u32 flags,
				  unsigned int start, unsigned int count,
				  void *data)
{
	struct mimic_irqs *irqs = &v->irqs;

	if (irqs->intx_on && !count && (flags & VFIO_IRQ_SET_DATA_NONE)) {
		mimic_intx_disable(irqs);
		return 0;
	}
	if (irqs->msix_on || start || count != 1)
		return -EINVAL;
	if (flags & VFIO_IRQ_SET_DATA_EVENTFD)
		return mimic_intx_enable(irqs, data);
	if (!irqs->intx_on)
		return -EINVAL;
	if (!READ_ONCE(irqs->intx_disable))
		mimic_signal_slots(irqs, &irqs->intx, 1, flags, data);
	return 0;
}

static int mimic_intx_set_masked(struct mimic_vdev *v, u32 flags,
				 unsigned int start, unsigned int count,
				 void *data)
{
	if (!v->irqs.intx_on || start || count != 1)
		return -EINVAL;
	if (flags & VFIO_IRQ_SET_DATA_EVENTFD)
		return -ENOTTY;
	if ((flags & VFIO_IRQ_SET_DATA_NONE) || *(u8 *)data)
		mimic_intx_set_mask(&v->irqs, true);
	return 0;
}

static int mimic_intx_set_unmasked(struct mimic_vdev *v, u32 flags,
				   unsigned int start, unsigned int count,
				   void *data)
{
	struct mimic_irqs *irqs = &v->irqs;
	s32 fd;

	if (!irqs->intx_on || start || count != 1)
		return -EINVAL;
	if (!(flags & VFIO_IRQ_SET_DATA_EVENTFD)) {
		if ((flags & VFIO_IRQ_SET_DATA_NONE) || *(u8 *)data)
			mimic_intx_set_mask(irqs, false);
		return 0;
	}
	fd = *(s32 *)data;
	if (fd != -1)
		return vfio_virqfd_enable(irqs, mimic_intx_unmask_wake,
					  mimic_intx_unmask_work, NULL,
					  &irqs->intx_unmask, fd);
	vfio_virqfd_disable(&irqs->intx_unmask);
	return 0;
}

/* --- MSI-X -------------------------------------------------------------- */

static void mimic_msix_disable(struct mimic_irqs *irqs)
{
	struct eventfd_ctx *old[MIMIC_MAX_VECTORS];

	lockdep_assert_held(&irqs->gate);
	spin_lock_irq(&irqs->lock);
	memcpy(old, irqs->msix, sizeof(old));
	memset(irqs->msix, 0, sizeof(irqs->msix));
	irqs->msix_on = false;
	mimic_drop_pending(irqs);
	spin_unlock_irq(&irqs->lock);
	mimic_retire(old, ARRAY_SIZE(old));
}

/* Vectors from @start on; others stay as they are. */
static int mimic_msix_enable(struct mimic_irqs *irqs, unsigned int start,
			     unsigned int count, const s32 *fds)
{
	struct eventfd_ctx *ctx[MIMIC_MAX_VECTORS];
	unsigned int i;
	int ret;

	lockdep_assert_held(&irqs->gate);
	ret = mimic_get_eventfds(fds, count, ctx);
	if (ret)
		return ret;
	spin_lock_irq(&irqs->lock);
	irqs->msix_on = true;
	for (i = 0; i < count; i++)
		swap(irqs->msix[start + i], ctx[i]);
	spin_unlock_irq(&irqs->lock);
	mimic_irq_deliver(irqs);
	mimic_retire(ctx, count);
	return 0;
}

static int mimic_msix_set_trigger(struct mimic_vdev *v, u32 flags,
				  unsigned int start, unsigned int count,
				  void *data)
{
	struct mimic_irqs *irqs = &v->irqs;
	unsigned int nr = mimic_nr_vectors(v);

	if (irqs->msix_on && !count && (flags & VFIO_IRQ_SET_DATA_NONE)) {
		mimic_msix_disable(irqs);
		return 0;
	}
	if (irqs->intx_on || !count || start >= nr || count > nr - start)
		return -EINVAL;
	start = array_index_nospec(start, nr);
	if (flags & VFIO_IRQ_SET_DATA_EVENTFD)
		return mimic_msix_enable(irqs, start, count, data);
	if (!irqs->msix_on)
		return -EINVAL;
	mimic_signal_slots(irqs, &irqs->msix[start], count, flags, data);
	return 0;
}

/* --- ERR and REQ -------------------------------------------------------- */

static int mimic_single_set_trigger(struct mimic_irqs *irqs,
				    struct eventfd_ctx **slot, u32 flags,
				    unsigned int start, unsigned int count,
				    void *data)
{
	struct eventfd_ctx *ctx;
	int ret;

	if (start || count > 1)
		return -EINVAL;
	if (!count) {
		if (!(flags & VFIO_IRQ_SET_DATA_NONE) || !*slot)
			return -EINVAL;
		mimic_replace(irqs, slot, NULL);
		return 0;
	}
	if (!(flags & VFIO_IRQ_SET_DATA_EVENTFD)) {
		if ((flags & VFIO_IRQ_SET_DATA_NONE) && !*slot)
			return -EINVAL;
		mimic_signal_slots(irqs, slot, 1, flags, data);
		return 0;
	}
	ret = mimic_get_eventfds(data, 1, &ctx);
	if (!ret)
		mimic_replace(irqs, slot, ctx);
	return ret;
}

/* --- What the VFIO device calls ----------------------------------------- */

static int mimic_irq_set_trigger(struct mimic_vdev *v, u32 flags,
				 unsigned int index, unsigned int start,
				 unsigned int count, void *data)
{
	struct mimic_irqs *irqs = &v->irqs;

	switch (index) {
	case VFIO_PCI_INTX_IRQ_INDEX:
		return mimic_intx_set_trigger(v, flags, start, count, data);
	case VFIO_PCI_MSIX_IRQ_INDEX:
		return mimic_msix_set_trigger(v, flags, start, count, data);
	case VFIO_PCI_ERR_IRQ_INDEX:
		return mimic_single_set_trigger(irqs, &irqs->err, flags, start,
						count, data);
	case VFIO_PCI_REQ_IRQ_INDEX:
		return mimic_single_set_trigger(irqs, &irqs->req, flags, start,
						count, data);
	default:
		return -EINVAL;
	}
}

/**
 * mimic_irq_set() - VFIO_DEVICE_SET_IRQS
 * @v: device
 * @flags: VFIO_IRQ_SET_*, one kind of data and one action
 * @index: VFIO_PCI_*_IRQ_INDEX
 * @start: first vector
 * @count: vectors
 * @data: @count bytes or file descriptors, as @flags say; NULL for none
 *
 * Works as vfio-pci does, except that a change of several vectors is made as a
 * whole or not at all, and vectors can be set up one after the other.
 *
 * Context: process, may sleep. Takes mimic_irqs.gate and mimic_irqs.lock.
 * Return: 0; -EINVAL for what the index does not have, or for MSI-X while INTx is
 * set up and the other way round; -ENOTTY for an action that the index does not
 * have; -EBADF or -EINVAL for a file that is no eventfd; -EBUSY for a second
 * unmask eventfd; -ENOMEM. Nothing has changed unless it is 0.
 */
int mimic_irq_set(struct mimic_vdev *v, u32 flags, unsigned int index,
		  unsigned int start, unsigned int count, void *data)
{
	struct mimic_irqs *irqs = &v->irqs;
	u32 action = flags & VFIO_IRQ_SET_ACTION_TYPE_MASK;
	int ret = -ENOTTY;

	if (count && !data && !(flags & VFIO_IRQ_SET_DATA_NONE))
		return -EINVAL;
	mutex_lock(&irqs->gate);
	if (action == VFIO_IRQ_SET_ACTION_TRIGGER)
		ret = mimic_irq_set_trigger(v, flags, index, start, count, data);
	else if (index != VFIO_PCI_INTX_IRQ_INDEX)
		ret = -ENOTTY;
	else if (action == VFIO_IRQ_SET_ACTION_MASK)
		ret = mimic_intx_set_masked(v, flags, start, count, data);
	else if (action == VFIO_IRQ_SET_ACTION_UNMASK)
		ret = mimic_intx_set_unmasked(v, flags, start, count, data);
	mutex_unlock(&irqs->gate);
	return ret;
}

/**
 * mimic_irq_info() - VFIO_DEVICE_GET_IRQ_INFO
 * @v: device
 * @info: has the index, gets flags and count
 *
 * Context: any.
 * Return: 0, or -EINVAL for an index that no PCI device has.
 */
int mimic_irq_info(struct mimic_vdev *v, struct vfio_irq_info *info)
{
	info->flags = VFIO_IRQ_INFO_EVENTFD;
	switch (info->index) {
	case VFIO_PCI_INTX_IRQ_INDEX:
		info->flags |= VFIO_IRQ_INFO_MASKABLE | VFIO_IRQ_INFO_AUTOMASKED;
		info->count = 1;
		return 0;
	case VFIO_PCI_MSI_IRQ_INDEX:
		info->flags |= VFIO_IRQ_INFO_NORESIZE;
		info->count = 0;
		return 0;
	case VFIO_PCI_MSIX_IRQ_INDEX:
		info->count = mimic_nr_vectors(v);
		return 0;
	case VFIO_PCI_ERR_IRQ_INDEX:
	case VFIO_PCI_REQ_IRQ_INDEX:
		info->flags |= VFIO_IRQ_INFO_NORESIZE;
		info->count = 1;
		return 0;
	default:
		return -EINVAL;
	}
}

/**
 * mimic_irq_request() - ask the client to give the device back
 * @v: device
 * @count: how often it was asked before
 *
 * Context: process.
 */
void mimic_irq_request(struct mimic_vdev *v, unsigned int count)
{
	struct mimic_irqs *irqs = &v->irqs;
	struct device *dev = mdev_dev(v->mdev);
	bool asked;

	mutex_lock(&irqs->gate);
	asked = irqs->req;
	mimic_signal_slots(irqs, &irqs->req, 1, VFIO_IRQ_SET_DATA_NONE, NULL);
	mutex_unlock(&irqs->gate);

	if (asked && !(count % 10))
		dev_notice_ratelimited(dev, "removal requested, client asked to close the device (#%u)\n",
				       count);
	else if (!asked && !count)
		dev_notice_ratelimited(dev, "removal waits for the client to close the device, which cannot be asked\n");
}

/**
 * mimic_irq_error() - tell the client that the device has failed
 * @v: device
 *
 * Context: process, may sleep. Takes mimic_irqs.gate and mimic_irqs.lock.
 */
void mimic_irq_error(struct mimic_vdev *v)
{
	struct mimic_irqs *irqs = &v->irqs;

	mutex_lock(&irqs->gate);
	mimic_signal_slots(irqs, &irqs->err, 1, VFIO_IRQ_SET_DATA_NONE, NULL);
	mutex_unlock(&irqs->gate);
}

/**
 * mimic_irq_init() - prepare interrupts
 * @v: zeroed device that nobody uses yet
 *
 * Context: any.
 */
void mimic_irq_init(struct mimic_vdev *v)
{
	mutex_init(&v->irqs.gate);
	spin_lock_init(&v->irqs.lock);
}

/**
 * mimic_irq_close() - forget what the client set up
 * @v: device that its client is closing
 *
 * Context: process, may sleep. Takes mimic_irqs.gate and mimic_irqs.lock.
 */
void mimic_irq_close(struct mimic_vdev *v)
{
	struct mimic_irqs *irqs = &v->irqs;

	mutex_lock(&irqs->gate);
	mimic_intx_disable(irqs);
	mimic_msix_disable(irqs);
	mimic_replace(irqs, &irqs->err, NULL);
	mimic_replace(irqs, &irqs->req, NULL);
	mutex_unlock(&irqs->gate);
}

/**
 * mimic_irq_reset() - put interrupts to power-on
 * @v: stopped device
 *
 * What the client set up stays, with its mask of INTx.
 *
 * Context: process. Takes mimic_irqs.lock.
 */
void mimic_irq_reset(struct mimic_vdev *v)
{
	struct mimic_irqs *irqs = &v->irqs;

	spin_lock_irq(&irqs->lock);
	irqs->intx_level = false;
	irqs->msix_pending = 0;
	spin_unlock_irq(&irqs->lock);
}

/* --- State -------------------------------------------------------------- */

/**
 * struct mimic_irq_state - state of interrupts in the stream
 * @pending: one bit per vector that waits for delivery
 * @reserved: zero
 *
 * The level of INTx is not here: it follows from the model's state.
 */
struct mimic_irq_state {
	__le32 pending;
	__le32 reserved[3];
};

/**
 * mimic_irq_save() - write the state
 * @v: stopped device
 * @buf: MIMIC_IRQ_STATE_SIZE zeroed bytes
 *
 * Context: any. Takes mimic_irqs.lock.
 */
void mimic_irq_save(struct mimic_vdev *v, void *buf)
{
	struct mimic_irq_state *state = buf;

	BUILD_BUG_ON(sizeof(*state) != MIMIC_IRQ_STATE_SIZE);
	state->pending = cpu_to_le32(mimic_irq_pending(v));
}

/**
 * mimic_irq_check() - whether a state can be taken
 * @v: device
 * @buf: MIMIC_IRQ_STATE_SIZE bytes from anybody
 *
 * Context: any.
 * Return: 0 or -EINVAL.
 */
int mimic_irq_check(struct mimic_vdev *v, const void *buf)
{
	const struct mimic_irq_state *state = buf;
	u32 valid = GENMASK(mimic_nr_vectors(v) - 1, 0);

	if (le32_to_cpu(state->pending) & ~valid)
		return -EINVAL;
	if (memchr_inv(state->reserved, 0, sizeof(state->reserved)))
		return -EINVAL;
	return 0;
}

/**
 * mimic_irq_load() - take a state
 * @v: device at power-on, stopped
 * @buf: what mimic_irq_check() has accepted
 *
 * Context: process. Takes mimic_irqs.lock.
 */
void mimic_irq_load(struct mimic_vdev *v, const void *buf)
{
	const struct mimic_irq_state *state = buf;
	struct mimic_irqs *irqs = &v->irqs;

	spin_lock_irq(&irqs->lock);
	irqs->msix_pending = le32_to_cpu(state->pending);
	mimic_drop_pending(irqs);
	spin_unlock_irq(&irqs->lock);
}
