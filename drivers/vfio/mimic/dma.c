// SPDX-License-Identifier: GPL-2.0-only
/*
 * Access of a device to guest memory.
 *
 * A read is one copy by VFIO. A write is three steps, so that the one that
 * changes guest memory can neither wait nor fail and may be done under a model's
 * lock: pin a page, copy to it, unpin it. The container reports a page as dirty
 * for as long as it is pinned, so a copy at any time in between is not missed;
 * the device's own log (log.c) is told by the copy.
 *
 * All of this is for kernel threads and workers. VFIO reaches the memory through
 * the address space of the client that mapped it, and refuses a task that has
 * another one. And both steps that reach it may have to wait for user space to
 * bring a page in, so no call of a client may depend on them.
 *
 * The container takes memory back by asking each device to let go of it, ten
 * times, and the kernel stops if a pin is still there after the last. Pins are
 * short, so it would do to wait for them; but a guest can make its device pin the
 * same page over and over. Therefore a range that is asked for is not pinned
 * again for a moment, which is when the container removes it.
 */
#include <linux/highmem.h>
#include <linux/iommu.h>
#include <linux/jiffies.h>
#include <linux/list.h>
#include <linux/mm.h>
#include <linux/sched.h>
#include <linux/vfio.h>

#include "mimic.h"

#define CREATE_TRACE_POINTS
#include "trace.h"

/*
 * For how long a range that is being unmapped is not pinned, in milliseconds,
 * when VFIO asks for the first time; it doubles each time that VFIO asks again,
 * because it found a new pin when it came to look. The limit makes that ten
 * seconds, within which VFIO surely gets the lock that it needs for its look.
 */
#define MIMIC_PIN_PAUSE		10
#define MIMIC_PIN_MAX_SHIFT	10u

/**
 * mimic_dma_init() - prepare a device for access to guest memory
 * @v: device that nobody uses yet
 *
 * Context: any.
 */
void mimic_dma_init(struct mimic_vdev *v)
{
	struct mimic_pins *pins = &v->pins;
	int i;

	spin_lock_init(&pins->lock);
	INIT_LIST_HEAD(&pins->held);
	init_waitqueue_head(&pins->wait);
	for (i = 0; i < MIMIC_NR_PAUSES; i++)
		pins->pauses[i].until = jiffies;
}

static bool mimic_pin_in(const struct mimic_pin *pin, u64 first, u64 last)
{
	return pin->iova <= last && pin->iova + pin->len - 1 >= first;
}

/* Is its page being taken back? */
static bool mimic_pin_must_wait(struct mimic_pins *pins,
				const struct mimic_pin *pin)
{
	const struct mimic_pause *p;

	lockdep_assert_held(&pins->lock);
	for (p = pins->pauses; p < pins->pauses + MIMIC_NR_PAUSES; p++)
		if (time_before(jiffies, p->until) &&
		    mimic_pin_in(pin, p->first, p->last))
			return true;
	return false;
}

/* A range that was given back is pinned again: mapped anew, or not yet gone. */
static void mimic_pin_note(struct mimic_pins *pins, const struct mimic_pin *pin)
{
	struct mimic_pause *p;

	lockdep_assert_held(&pins->lock);
	for (p = pins->pauses; p < pins->pauses + MIMIC_NR_PAUSES; p++)
		if (mimic_pin_in(pin, p->first, p->last))
			p->pinned = true;
}

static void mimic_pin_enter(struct mimic_pins *pins, struct mimic_pin *pin)
{
	spin_lock(&pins->lock);
	while (mimic_pin_must_wait(pins, pin)) {
		spin_unlock(&pins->lock);
		schedule_timeout_uninterruptible(1);
		spin_lock(&pins->lock);
	}
	mimic_pin_note(pins, pin);
	list_add(&pin->node, &pins->held);
	spin_unlock(&pins->lock);
}

static void mimic_pin_leave(struct mimic_pins *pins, struct mimic_pin *pin)
{
	spin_lock(&pins->lock);
	list_del(&pin->node);
	spin_unlock(&pins->lock);
	wake_up_all(&pins->wait);
}

/*
 * A place to note the range: where it was noted before, if VFIO asks again, or
 * one that is free. NULL if there is none just now.
 */
static struct mimic_pause *mimic_find_pause(struct mimic_pins *pins, u64 first,
					    u64 last)
{
	struct mimic_pause *p, *found = NULL;

	lockdep_assert_held(&pins->lock);
	for (p = pins->pauses; p < pins->pauses + MIMIC_NR_PAUSES; p++) {
		if (p->first == first && p->last == last)
			return p;
		if (!time_before(jiffies, p->until))
			found = p;
	}
	return found;
}

/*
 * VFIO asks again as soon as it gets its lock, which a client can delay for as
 * long as it likes: this has to be longer than anybody cares to.
 */
#define MIMIC_PIN_FORGET	(10 * 60 * HZ)

/*
 * Longer each time that VFIO had to ask again. Until the last pin is gone there
 * is no new one, or the wait for it might have no end.
 */
static void mimic_pause_begin(struct mimic_pause *p, u64 first, u64 last)
{
	bool again = p->first == first && p->last == last && p->pinned &&
		     time_before(jiffies, p->until + MIMIC_PIN_FORGET);

	p->asked = again ? min(p->asked + 1, MIMIC_PIN_MAX_SHIFT) : 0;
	p->pinned = false;
	p->first = first;
	p->last = last;
	p->until = jiffies + MAX_JIFFY_OFFSET;
}

/* Keep new pins out of the range. Sleeps while others keep all places busy. */
static void mimic_pins_pause(struct mimic_pins *pins, u64 first, u64 last)
{
	struct mimic_pause *p;

	spin_lock(&pins->lock);
	while (!(p = mimic_find_pause(pins, first, last))) {
		spin_unlock(&pins->lock);
		schedule_timeout_uninterruptible(1);
		spin_lock(&pins->lock);
	}
	mimic_pause_begin(p, first, last);
	spin_unlock(&pins->lock);
}

/* The range has no pin now: let the time begin to run from here. */
static void mimic_pins_extend(struct mimic_pins *pins, u64 first, u64 last)
{
	struct mimic_pause *p;

	spin_lock(&pins->lock);
	p = mimic_find_pause(pins, first, last);
	if (p && p->first == first && p->last == last)
		p->until = jiffies +
			   msecs_to_jiffies(MIMIC_PIN_PAUSE << p->asked) + 1;
	spin_unlock(&pins->lock);
}

static bool mimic_pins_are_gone(struct mimic_pins *pins, u64 first, u64 last)
{
	struct mimic_pin *pin;
	bool gone = true;

	spin_lock(&pins->lock);
	list_for_each_entry(pin, &pins->held, node)
		gone &= !mimic_pin_in(pin, first, last);
	spin_unlock(&pins->lock);
	return gone;
}

/**
 * mimic_dma_forget() - let go of guest memory that is being unmapped
 * @v: device
 * @iova: guest address of the memory
 * @length: bytes, not 0
 *
 * No piece of the range is pinned when this returns, and none will be for a
 * while after it, see MIMIC_PIN_PAUSE.
 *
 * Context: process, may sleep; vfio_device_ops.dma_unmap(). The caller holds no
 * lock that a pin needs.
 */
void mimic_dma_forget(struct mimic_vdev *v, u64 iova, u64 length)
{
	struct mimic_pins *pins = &v->pins;
	u64 last = iova + length - 1;

	mimic_pins_pause(pins, iova, last);
	wait_event(pins->wait, mimic_pins_are_gone(pins, iova, last));
	mimic_pins_extend(pins, iova, last);
}

/**
 * mimic_dma_read() - read guest memory
 * @v: device, opened
 * @iova: guest address, any alignment
 * @buf: gets the bytes
 * @len: bytes, not 0
 *
 * Context: kernel thread or worker; may wait for user space. No lock held that
 * anybody needs who must not wait for user space.
 * Return: 0; -EPERM if the guest has not enabled bus mastering; another
 * negative errno if some of it cannot be reached, and then @buf is undefined.
 */
int mimic_dma_read(struct mimic_vdev *v, u64 iova, void *buf, size_t len)
{
	int ret;

	if (!READ_ONCE(v->bus_master))
		ret = -EPERM;
	else if (!len || iova + len - 1 < iova)
		ret = -EINVAL;
	else
		ret = vfio_dma_rw(&v->vfio, iova, buf, len, false);
	trace_mimic_dma(v, iova, len, false, ret);
	return ret;
}

/*
 * Only memory that the kernel manages can be written through its mapping. The
 * rest are registers or memory of other devices, which the client may map into
 * the container, too.
 */
static bool mimic_page_is_memory(struct page *page)
{
	if (!pfn_valid(page_to_pfn(page)))
		return false;
	return !PageReserved(page) || is_zone_device_page(page);
}

static int mimic_pin_page(struct mimic_vdev *v, u64 iova, struct page **page)
{
	int ret;

	ret = vfio_pin_pages(&v->vfio, iova & PAGE_MASK, 1,
			     IOMMU_READ | IOMMU_WRITE, page);
	if (ret != 1)
		return ret < 0 ? ret : -EFAULT;
	if (mimic_page_is_memory(*page))
		return 0;
	vfio_unpin_pages(&v->vfio, iova & PAGE_MASK, 1);
	return -EFAULT;
}

/**
 * mimic_dma_pin() - pin guest memory that is going to be written
 * @v: device, opened
 * @iova: guest address, any alignment
 * @len: bytes, not 0, that end in the page in which they begin
 * @pin: what was pinned; the caller holds one at a time and does not move it
 *
 * Context: kernel thread or worker; may wait for user space. No lock held that
 * anybody needs who must not wait for user space.
 * Return: 0; -EPERM if the guest has not enabled bus mastering; -EINVAL for a
 * range across pages; another negative errno if it cannot be reached or is not
 * memory, or if there is no memory to log it.
 */
int mimic_dma_pin(struct mimic_vdev *v, u64 iova, size_t len,
		  struct mimic_pin *pin)
{
	int ret;

	if (!READ_ONCE(v->bus_master))
		return -EPERM;
	if (!len || len > PAGE_SIZE - offset_in_page(iova))
		return -EINVAL;
	pin->iova = iova;
	pin->len = len;
	ret = mimic_log_prepare(v, pin);
	if (ret)
		goto out;
	mimic_pin_enter(&v->pins, pin);
	ret = mimic_pin_page(v, iova, &pin->page);
	if (ret) {
		mimic_pin_leave(&v->pins, pin);
		mimic_log_leave(pin);
	}
out:
	trace_mimic_dma(v, iova, len, true, ret);
	return ret;
}

/**
 * mimic_dma_copy() - write guest memory that is pinned
 * @pin: from mimic_dma_pin()
 * @off: offset in it
 * @buf: bytes to write
 * @len: how many; @off + @len must be inside of @pin
 *
 * Context: any but interrupts; does not sleep. The lock under which the device is
 * stopped is held, so that there is no copy whose page is not in the log.
 */
void mimic_dma_copy(struct mimic_pin *pin, size_t off, const void *buf,
		    size_t len)
{
	void *to;
	u32 word;

	if (WARN_ON_ONCE(off > pin->len || len > pin->len - off))
		return;
	to = kmap_local_page(pin->page) + offset_in_page(pin->iova) + off;
	/* A driver that polls a word may not see half of it. */
	if (len == sizeof(word) && IS_ALIGNED((unsigned long)to, sizeof(word))) {
		memcpy(&word, buf, sizeof(word));
		WRITE_ONCE(*(u32 *)to, word);
	} else {
		memcpy(to, buf, len);
	}
	kunmap_local(to);
	/* Not before the data are there: a report would take the mark away. */
	mimic_log_mark(pin);
}

/**
 * mimic_dma_unpin() - undo mimic_dma_pin()
 * @v: device, opened
 * @pin: what was pinned
 *
 * Context: kernel thread or worker; may sleep, and wait for a pin of somebody
 * else that waits for user space.
 */
void mimic_dma_unpin(struct mimic_vdev *v, struct mimic_pin *pin)
{
	vfio_unpin_pages(&v->vfio, pin->iova & PAGE_MASK, 1);
	mimic_pin_leave(&v->pins, pin);
	mimic_log_leave(pin);
}
