// SPDX-License-Identifier: GPL-2.0-only
/*
 * The engine: states, sessions, life cycle.
 *
 * All that can fail in a change of state happens before its first step. So the
 * steps themselves cannot fail, a device is never seen between two states, and
 * going to RUNNING or STOP always works (other than out of a resume that is
 * not complete).
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/lockdep.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/sizes.h>
#include <linux/slab.h>
#include <linux/string.h>
#include <linux/vmalloc.h>

#include "vmig_int.h"

#define CREATE_TRACE_POINTS
#include "trace.h"

#define VMIG_SECTION_DEFAULT	SZ_1M
#define VMIG_SECTION_MIN	SZ_32K
#define VMIG_SECTION_MAX	SZ_16M

/**
 * vmig_state_name() - name of a state, for messages
 * @state: state, any value
 *
 * Return: a constant string.
 */
const char *vmig_state_name(enum vmig_state state)
{
	static const char * const names[VMIG_NR_STATES] = {
		"ERROR", "STOP", "RUNNING", "STOP_COPY", "RESUMING",
		"RUNNING_P2P", "PRE_COPY", "PRE_COPY_P2P",
	};

	return state < VMIG_NR_STATES ? names[state] : "?";
}
EXPORT_SYMBOL_GPL(vmig_state_name);

static int vmig_check_blobs(const struct vmig_config *cfg)
{
	unsigned int i;

	if (cfg->nr_blobs > VMIG_MAX_BLOBS)
		return -EINVAL;
	for (i = 0; i < cfg->nr_blobs; i++) {
		const struct vmig_blob *b = &cfg->blobs[i];

		if (!b->save || !b->check || !b->commit || !b->size ||
		    b->size > VMIG_BLOB_MAX)
			return -EINVAL;
	}
	return 0;
}

/* A stream names objects by their ids, so they must be told apart by them. */
static int vmig_check_ids(const struct vmig_config *cfg)
{
	unsigned int i, j;

	for (i = 1; i < cfg->nr_mems; i++)
		if (cfg->mems[i]->id <= cfg->mems[i - 1]->id)
			return -EINVAL;
	for (i = 0; i < cfg->nr_blobs; i++) {
		for (j = 0; j < i; j++)
			if (cfg->blobs[j].id == cfg->blobs[i].id)
				return -EINVAL;
		for (j = 0; j < cfg->nr_mems; j++)
			if (cfg->mems[j]->id == cfg->blobs[i].id)
				return -EINVAL;
	}
	return 0;
}

static bool vmig_section_size_ok(u64 size)
{
	return size >= VMIG_SECTION_MIN && size <= VMIG_SECTION_MAX &&
	       PAGE_ALIGNED(size);
}

static int vmig_check_config(const struct vmig_config *cfg)
{
	char version[VMIG_VERSION_MAX];

	if (!cfg->name || !cfg->ops || !cfg->ops->set_run || !cfg->ops->reset ||
	    cfg->nr_mems > VMIG_MAX_MEMS)
		return -EINVAL;
	if (cfg->section_size && !vmig_section_size_ok(cfg->section_size))
		return -EINVAL;
	if (cfg->ident &&
	    (cfg->ident->nr_params > VMIG_MAX_PARAMS ||
	     vmig_version_print(cfg->ident, version, sizeof(version)) < 0))
		return -EINVAL;
	return vmig_check_blobs(cfg) ?: vmig_check_ids(cfg);
}

/**
 * vmig_init() - make a device known to the engine
 * @vmig: zeroed, embedded in the vendor driver's device
 * @cfg: description; must stay as it is until vmig_destroy(). Without an ident
 *	the device cannot migrate and only starts, stops and resets
 *
 * Call this before the device is registered with VFIO.
 *
 * Context: process, may sleep.
 * Return: 0, or -EINVAL if @cfg breaks a rule of struct vmig_config.
 */
int vmig_init(struct vmig_device *vmig, const struct vmig_config *cfg)
{
	int ret = vmig_check_config(cfg);

	if (ret)
		return ret;
	vmig->cfg = cfg;
	vmig->section_size = cfg->section_size ?: VMIG_SECTION_DEFAULT;
	mutex_init(&vmig->lock);
	vmig->protocols = cfg->ident ? VMIG_PROTOCOLS : 0;
	vmig->flags = VMIG_FLAGS;
	vmig->state = VMIG_STATE_RUNNING;
	vmig->run = VMIG_RUN_NONE;
	return 0;
}
EXPORT_SYMBOL_GPL(vmig_init);

/**
 * vmig_destroy() - undo vmig_init() of a device that nobody has open
 * @vmig: device
 *
 * Data files that clients still have stay what they are, dead.
 *
 * Context: process, may sleep.
 */
void vmig_destroy(struct vmig_device *vmig)
{
	WARN_ON(vmig->session);
	vmig_data_sync();
	mutex_destroy(&vmig->lock);
}
EXPORT_SYMBOL_GPL(vmig_destroy);

/**
 * vmig_blobs_size() - bytes of all blobs together
 * @vmig: device
 *
 * Return: bytes, at least 1.
 */
size_t vmig_blobs_size(const struct vmig_device *vmig)
{
	unsigned int i;
	size_t size = 0;

	for (i = 0; i < vmig->cfg->nr_blobs; i++)
		size += vmig->cfg->blobs[i].size;
	return max_t(size_t, size, 1);
}

/**
 * vmig_manifest_alloc() - make the tables of a session
 * @vmig: device
 * @m: zeroed
 *
 * Return: 0 or -ENOMEM, with nothing allocated.
 */
int vmig_manifest_alloc(struct vmig_device *vmig, struct vmig_manifest *m)
{
	unsigned int i;

	for (i = 0; i < vmig->cfg->nr_mems; i++) {
		m->mem[i] = kvcalloc(max(vmig->cfg->mems[i]->nr_chunks, 1ul),
				     sizeof(*m->mem[i]), GFP_KERNEL_ACCOUNT);
		if (!m->mem[i]) {
			vmig_manifest_free(vmig, m);
			return -ENOMEM;
		}
	}
	return 0;
}

/**
 * vmig_manifest_clear() - nothing was sent or received yet
 * @vmig: device
 * @m: tables
 */
void vmig_manifest_clear(struct vmig_device *vmig, struct vmig_manifest *m)
{
	unsigned int i;

	for (i = 0; i < vmig->cfg->nr_mems; i++)
		memset(m->mem[i], 0, vmig->cfg->mems[i]->nr_chunks *
		       sizeof(*m->mem[i]));
}

/**
 * vmig_manifest_free() - free the tables
 * @vmig: device
 * @m: tables
 */
void vmig_manifest_free(struct vmig_device *vmig, struct vmig_manifest *m)
{
	unsigned int i;

	for (i = 0; i < vmig->cfg->nr_mems; i++)
		kvfree(m->mem[i]);
}

/**
 * vmig_manifest_sum() - what END says of the tables
 * @vmig: device
 * @m: tables
 * @end: gets chunks and manifest
 */
void vmig_manifest_sum(struct vmig_device *vmig, struct vmig_manifest *m,
		       struct vmig_rec_end *end)
{
	u64 chunks = 0;
	u32 crc = ~0u;
	unsigned int i;

	for (i = 0; i < vmig->cfg->nr_mems; i++) {
		unsigned long c, nr = vmig->cfg->mems[i]->nr_chunks;

		for (c = 0; c < nr; c++)
			chunks += !!m->mem[i][c].generation;
		crc = vmig_crc_more(crc, m->mem[i], nr * sizeof(*m->mem[i]));
	}
	end->chunks = cpu_to_le64(chunks);
	end->manifest = cpu_to_le32(~crc);
}

/* Strings come from strangers: escape them, and print no more than they need. */
static void vmig_report(const char *who, const char *what,
			const struct vmig_verdict *v, int err)
{
	int len = min_t(int, v->theirs_len, 64);

	trace_vmig_refuse(who, v->field, err);
	if (err == -EINVAL && !len)
		pr_info_ratelimited("%s: %s refused (%d): it ends too early\n",
				    who, what, err);
	else if (err == -EINVAL)
		pr_info_ratelimited("%s: %s refused (%d): malformed from \"%*pE\" on\n",
				    who, what, err, len, v->theirs);
	else
		pr_info_ratelimited("%s: %s refused (%d): %s is \"%*pE\" there, \"%s\" here\n",
				    who, what, err, v->field, len, v->theirs,
				    v->ours);
}

/**
 * vmig_version_accept() - judge what was written to a migration_version
 * @ident: what we are
 * @who: whose attribute, for the log
 * @buf: what was written, not terminated; one newline at its end is ignored
 * @len: bytes, any number
 *
 * A refusal is logged, ratelimited, with the field that decided.
 *
 * Context: process.
 * Source: migration-rules.rst, VER-04 to VER-07, VER-14.
 * Return: as vmig_version_judge().
 */
int vmig_version_accept(const struct vmig_ident *ident, const char *who,
			const char *buf, size_t len)
{
	struct vmig_verdict v = {};
	int ret;

	if (len && buf[len - 1] == '\n')
		len--;
	ret = vmig_version_judge(ident, buf, len, &v);
	if (ret)
		vmig_report(who, "migration_version", &v, ret);
	return ret;
}
EXPORT_SYMBOL_GPL(vmig_version_accept);

/**
 * vmig_version_accept_stream() - judge the version in a stream
 * @vmig: device that is resuming
 * @buf: version string
 * @len: its length
 *
 * Return: as vmig_version_judge().
 */
int vmig_version_accept_stream(struct vmig_device *vmig, const char *buf,
			       size_t len)
{
	struct vmig_verdict v = {};
	int ret = vmig_version_judge(vmig->cfg->ident, buf, len, &v);

	if (ret)
		vmig_report(vmig->cfg->name, "stream", &v, ret);
	return ret;
}

static void vmig_set_run(struct vmig_device *vmig, enum vmig_run run)
{
	lockdep_assert_held(&vmig->lock);
	if (vmig->run == run)
		return;
	vmig->run = run;
	vmig->cfg->ops->set_run(vmig, run);
}

static void vmig_mems(struct vmig_device *vmig, void (*fn)(struct vmig_mem *))
{
	unsigned int i;

	for (i = 0; i < vmig->cfg->nr_mems; i++)
		fn(vmig->cfg->mems[i]);
}

/* Quiet the device, then its memory: stores of the client's come last. */
static void vmig_lower(struct vmig_device *vmig, enum vmig_run run)
{
	if (run >= vmig->run)
		return;
	vmig_set_run(vmig, run);
	if (run == VMIG_RUN_NONE)
		vmig_mems(vmig, vmig_mem_freeze);
}

static void vmig_raise(struct vmig_device *vmig, enum vmig_run run)
{
	if (run <= vmig->run)
		return;
	if (vmig->run == VMIG_RUN_NONE)
		vmig_mems(vmig, vmig_mem_thaw);
	vmig_set_run(vmig, run);
}

static void vmig_session_free(struct vmig_session *session)
{
	if (!session)
		return;
	if (session->data)
		vmig_data_end(session->data);
	vmig_save_free(session->save);
	vmig_resume_free(session->resume);
	kfree(session);
}

/**
 * vmig_fault() - is a step to fail
 * @vmig: device
 * @step: which is about to be taken
 *
 * Context: process; vmig_device.lock held.
 * Return: 0, or the errno that was asked for.
 */
int vmig_fault(struct vmig_device *vmig, enum vmig_step step)
{
	struct vmig_fault *fault = &vmig->faults[step];
	int err = fault->err;

	lockdep_assert_held(&vmig->lock);
	if (!err)
		return 0;
	if (fault->skip) {
		fault->skip--;
		return 0;
	}
	if (fault->times && !--fault->times)
		fault->err = 0;
	return -err;
}

/* All the memory that the session needs until its end. */
static struct vmig_session *vmig_session_new(struct vmig_device *vmig,
					     enum vmig_owner owner, bool resume)
{
	struct vmig_session *session;
	int ret;

	ret = vmig_fault(vmig, resume ? VMIG_STEP_RESUME : VMIG_STEP_SAVE);
	if (ret)
		return ERR_PTR(ret);
	session = kzalloc(sizeof(*session), GFP_KERNEL_ACCOUNT);
	if (!session)
		return ERR_PTR(-ENOMEM);
	session->owner = owner;
	if (resume)
		session->resume = vmig_resume_new(vmig);
	else
		session->save = vmig_save_new(vmig);
	if (session->resume || session->save)
		return session;
	kfree(session);
	return ERR_PTR(-ENOMEM);
}

/**
 * vmig_section_clear() - let nothing of what was in the data section remain
 * @vmig: device
 *
 * Context: process; vmig_device.lock held.
 */
void vmig_section_clear(struct vmig_device *vmig)
{
	size_t len = vmig->section_used;

	lockdep_assert_held(&vmig->lock);
	/* Whoever has it mapped stores where it likes. */
	if (READ_ONCE(vmig->section_mapped))
		len = vmig->section_size;
	/* By words: emulated processors need much longer for a string of bytes. */
	if (vmig->section)
		memset64(vmig->section, 0, DIV_ROUND_UP(len, sizeof(u64)));
	vmig->section_used = 0;
}

/* Is there a segment that the client may not have collected? */
static bool vmig_session_in_doubt(const struct vmig_session *session)
{
	return session->save && session->save->segment.len;
}

/*
 * QEMU 7.2 copies a segment out of its mapping in one thread while another one
 * continues the guest, which ends the session, and then sends what it has copied:
 * let it be what was staged. The next session finds nothing of it.
 */
static void vmig_session_end(struct vmig_device *vmig)
{
	struct vmig_session *session = vmig->session;

	lockdep_assert_held(&vmig->lock);
	if (!session)
		return;
	if (session->save)
		vmig_mems(vmig, vmig_mem_untrack);
	vmig->session = NULL;
	vmig->staged_serial++;
	if (!vmig_session_in_doubt(session))
		vmig_section_clear(vmig);
	vmig_session_free(session);
}

static void vmig_session_start(struct vmig_device *vmig,
			       struct vmig_session *session)
{
	lockdep_assert_held(&vmig->lock);
	vmig->session = session;
	/* Whoever has it mapped may have stored to it between sessions. */
	vmig_section_clear(vmig);
	memset(&vmig->stats, 0, offsetof(struct vmig_stats, refusals));
	if (session->save) {
		vmig_mems(vmig, vmig_mem_track);
		return;
	}
	vmig->cfg->ops->reset(vmig, false);
	vmig_mems(vmig, vmig_mem_empty);
	vmig_mems(vmig, vmig_mem_hide);
	if (vmig->cfg->ops->resuming)
		vmig->cfg->ops->resuming(vmig);
}

/* Take one arc. Cannot fail. */
static void vmig_step(struct vmig_device *vmig, enum vmig_state next,
		      struct vmig_session **fresh)
{
	enum vmig_state cur = vmig->state;
	enum vmig_run run = vmig_fsm_run(next);

	if (cur == VMIG_STATE_RESUMING)
		vmig_resume_commit(vmig->session->resume);
	if (cur == VMIG_STATE_RESUMING ||
	    (vmig_fsm_saving(cur) && !vmig_fsm_saving(next)))
		vmig_session_end(vmig);
	vmig_lower(vmig, run);
	if (vmig_fsm_starts_session(cur, next)) {
		vmig_session_start(vmig, *fresh);
		*fresh = NULL;
	}
	if (next == VMIG_STATE_STOP_COPY)
		vmig_save_stop(vmig->session->save);
	vmig_raise(vmig, run);
	vmig->state = next;
	trace_vmig_state(vmig, cur, next);
}

/*
 * Walk to a state without moving: is there a way, and does it begin a session?
 */
static int vmig_check_way(struct vmig_device *vmig, enum vmig_state target,
			  bool *starts)
{
	enum vmig_state cur = vmig->state, next;
	int ret;

	*starts = false;
	while (cur != target) {
		ret = vmig_fsm_next(cur, target, vmig->flags, &next);
		if (ret)
			return ret;
		*starts |= vmig_fsm_starts_session(cur, next);
		cur = next;
	}
	return 0;
}

/**
 * vmig_starts_session() - does the way to a state begin a session
 * @vmig: device
 * @target: state, any value
 *
 * Context: process; vmig_device.lock held.
 * Return: true if there is a way, and it does, with its last step.
 */
bool vmig_starts_session(struct vmig_device *vmig, enum vmig_state target)
{
	bool starts;

	return !vmig_check_way(vmig, target, &starts) && starts;
}

/* A session belongs to the protocol that opened it; others may only end it. */
static int vmig_check_owner(struct vmig_device *vmig, enum vmig_state target,
			    enum vmig_owner owner)
{
	if (!vmig->session || vmig->session->owner == owner)
		return 0;
	if (target == VMIG_STATE_RESUMING || vmig_fsm_saving(target))
		return -EBUSY;
	return 0;
}

static int vmig_check_complete(struct vmig_device *vmig)
{
	if (!vmig_resume_complete(vmig->session->resume))
		return -EINVAL;
	return vmig_fault(vmig, VMIG_STEP_FINISH);
}

/**
 * vmig_set_state() - bring the device to a state
 * @vmig: device
 * @target: state, any value
 * @owner: protocol that asks
 * @data: data file for a session that begins, if that is v2; or NULL
 *
 * Context: process, may sleep; vmig_device.lock held.
 * Source: migration-rules.rst, V1-ST, V2-FSM, MIX.
 * Return: 0, also if it is there already; or, with nothing changed, -EIO in
 * ERROR, -EINVAL if there is no way or a resume is not complete, -EBUSY if the
 * session belongs to another protocol, -ENOMEM, or what vmig_fault() says.
 */
int vmig_set_state(struct vmig_device *vmig, enum vmig_state target,
		   enum vmig_owner owner, struct vmig_data *data)
{
	struct vmig_session *fresh = NULL;
	enum vmig_state next;
	bool starts;
	int ret;

	lockdep_assert_held(&vmig->lock);
	if (vmig->state == VMIG_STATE_ERROR)
		return -EIO;
	ret = vmig_check_way(vmig, target, &starts);
	if (!ret)
		ret = vmig_check_owner(vmig, target, owner);
	if (ret || vmig->state == target)
		return ret;
	if (vmig->state == VMIG_STATE_RESUMING) {
		ret = vmig_check_complete(vmig);
		if (ret)
			return ret;
	}
	if (starts) {
		fresh = vmig_session_new(vmig, owner,
					 target == VMIG_STATE_RESUMING);
		if (IS_ERR(fresh))
			return PTR_ERR(fresh);
	}

	while (vmig->state != target &&
	       !vmig_fsm_next(vmig->state, target, vmig->flags, &next))
		vmig_step(vmig, next, &fresh);
	if (starts && data)
		vmig_data_bind(data, vmig->session);
	else if (vmig->session && vmig->session->data)
		vmig_data_wake(vmig->session->data);
	return 0;
}

static void vmig_section_free(struct vmig_device *vmig)
{
	lockdep_assert_held(&vmig->lock);
	kvfree(vmig->section_read);
	vmig->section_read = NULL;
	vfree(vmig->section);
	vmig->section = NULL;
}

/* Power-on, stopped, no session. */
static void vmig_clear(struct vmig_device *vmig)
{
	lockdep_assert_held(&vmig->lock);
	vmig_lower(vmig, VMIG_RUN_NONE);
	vmig_session_end(vmig);
	vmig_section_clear(vmig);
	vmig->cfg->ops->reset(vmig, false);
	vmig_mems(vmig, vmig_mem_empty);
	vmig_mems(vmig, vmig_mem_reveal);
}

static int vmig_section_alloc(struct vmig_device *vmig)
{
	lockdep_assert_held(&vmig->lock);
	vmig->section = __vmalloc(vmig->section_size,
				  GFP_KERNEL_ACCOUNT | __GFP_ZERO);
	vmig->section_read = kvzalloc(vmig->section_size / BITS_PER_BYTE,
				      GFP_KERNEL_ACCOUNT);
	vmig->section_used = 0;
	vmig->section_mapped = false;
	if (vmig->section && vmig->section_read)
		return 0;
	vmig_section_free(vmig);
	return -ENOMEM;
}

/* What clients need as long as the device is open. */
static int vmig_open_buffers(struct vmig_device *vmig)
{
	lockdep_assert_held(&vmig->lock);
	if (!vmig->protocols)
		return 0;
	vmig->scratch = kvmalloc(vmig_blobs_size(vmig), GFP_KERNEL_ACCOUNT);
	if (!vmig->scratch)
		return -ENOMEM;
	if (!(vmig->protocols & VMIG_PROTOCOL_V1) || !vmig_section_alloc(vmig))
		return 0;
	kvfree(vmig->scratch);
	vmig->scratch = NULL;
	return -ENOMEM;
}

static void vmig_close_buffers(struct vmig_device *vmig)
{
	lockdep_assert_held(&vmig->lock);
	vmig_section_free(vmig);
	kvfree(vmig->scratch);
	vmig->scratch = NULL;
}

/**
 * vmig_open() - the first client opens the device
 * @vmig: device
 *
 * The device is RUNNING and at power-on when this returns.
 *
 * Context: process, may sleep.
 * Return: 0 or -ENOMEM.
 */
int vmig_open(struct vmig_device *vmig)
{
	int ret = 0;

	mutex_lock(&vmig->lock);
	ret = vmig_open_buffers(vmig);
	if (ret)
		goto out;
	vmig->is_open = true;
	vmig_mems(vmig, vmig_mem_charge);
	vmig->state = VMIG_STATE_RUNNING;
	if (vmig->scratch)
		vmig_save_measure(vmig);
	vmig_raise(vmig, VMIG_RUN_ALL);
out:
	mutex_unlock(&vmig->lock);
	return ret;
}
EXPORT_SYMBOL_GPL(vmig_open);

/**
 * vmig_close() - the last client has closed the device
 * @vmig: device
 *
 * The device is stopped and at power-on when this returns, and nothing that the
 * client left in it can be read any more.
 *
 * Context: process, may sleep.
 */
void vmig_close(struct vmig_device *vmig)
{
	mutex_lock(&vmig->lock);
	vmig_clear(vmig);
	vmig_mems(vmig, vmig_mem_uncharge);
	vmig->state = VMIG_STATE_RUNNING;
	vmig_close_buffers(vmig);
	vmig->precopy_v2 = false;
	vmig->is_open = false;
	mutex_unlock(&vmig->lock);
}
EXPORT_SYMBOL_GPL(vmig_close);

/**
 * vmig_reset() - VFIO_DEVICE_RESET: power-on, RUNNING, whatever was before
 * @vmig: device
 *
 * Context: process, may sleep.
 * Source: migration-rules.rst, V1-ST-86 to 88.
 */
void vmig_reset(struct vmig_device *vmig)
{
	enum vmig_state from;

	mutex_lock(&vmig->lock);
	from = vmig->state;
	vmig_clear(vmig);
	vmig->state = VMIG_STATE_RUNNING;
	vmig_raise(vmig, VMIG_RUN_ALL);
	trace_vmig_state(vmig, from, vmig->state);
	mutex_unlock(&vmig->lock);
}
EXPORT_SYMBOL_GPL(vmig_reset);

/**
 * vmig_function_reset() - the guest resets the function
 * @vmig: device
 *
 * Registers and memory are at power-on when this returns, state and session are
 * as before, and what a session has sent of the memory is sent again.
 *
 * Context: process, may sleep; no lock held.
 * Return: false if the device is stopped, and nothing was done.
 */
bool vmig_function_reset(struct vmig_device *vmig)
{
	enum vmig_run run;

	mutex_lock(&vmig->lock);
	run = vmig->run;
	if (run != VMIG_RUN_NONE) {
		vmig_lower(vmig, VMIG_RUN_NONE);
		vmig->cfg->ops->reset(vmig, true);
		vmig_mems(vmig, vmig_mem_empty);
		vmig_raise(vmig, run);
	}
	mutex_unlock(&vmig->lock);
	return run != VMIG_RUN_NONE;
}
EXPORT_SYMBOL_GPL(vmig_function_reset);

/**
 * vmig_fail() - the device has found an error that it cannot handle
 * @vmig: device
 *
 * Its state is ERROR and it is quiet until it is reset.
 *
 * Context: process, may sleep; no lock held.
 */
void vmig_fail(struct vmig_device *vmig)
{
	enum vmig_state from;

	mutex_lock(&vmig->lock);
	from = vmig->state;
	vmig_lower(vmig, VMIG_RUN_NONE);
	vmig_session_end(vmig);
	vmig_section_clear(vmig);
	vmig->state = VMIG_STATE_ERROR;
	trace_vmig_state(vmig, from, vmig->state);
	mutex_unlock(&vmig->lock);
}
EXPORT_SYMBOL_GPL(vmig_fail);

/**
 * vmig_get_state() - the state now
 * @vmig: device
 *
 * Context: process, may sleep.
 * Return: state.
 */
enum vmig_state vmig_get_state(struct vmig_device *vmig)
{
	enum vmig_state state;

	mutex_lock(&vmig->lock);
	state = vmig->state;
	mutex_unlock(&vmig->lock);
	return state;
}
EXPORT_SYMBOL_GPL(vmig_get_state);

/**
 * vmig_set_section_size() - change the v1 data section of a device
 * @vmig: device
 * @size: bytes, as in struct vmig_config
 *
 * Context: process, may sleep; no lock held.
 * Return: 0; -EINVAL for a size that cannot be; -EBUSY if the device is open.
 */
int vmig_set_section_size(struct vmig_device *vmig, u64 size)
{
	int ret = 0;

	if (!vmig_section_size_ok(size))
		return -EINVAL;
	mutex_lock(&vmig->lock);
	if (vmig->is_open)
		ret = -EBUSY;
	else
		vmig->section_size = size;
	mutex_unlock(&vmig->lock);
	return ret;
}

/**
 * vmig_set_flags() - have fewer optional states, to see how clients take it
 * @vmig: device
 * @flags: VMIG_F_*, with VMIG_F_STOP_COPY
 *
 * Context: process, may sleep; no lock held.
 * Return: 0; -EINVAL for flags that cannot be; -EBUSY if the device is open.
 */
int vmig_set_flags(struct vmig_device *vmig, u64 flags)
{
	int ret = 0;

	if (!(flags & VMIG_F_STOP_COPY) || flags & ~(u64)VMIG_FLAGS)
		return -EINVAL;
	mutex_lock(&vmig->lock);
	if (vmig->is_open)
		ret = -EBUSY;
	else
		vmig->flags = flags;
	mutex_unlock(&vmig->lock);
	return ret;
}

/**
 * vmig_set_protocols() - choose by which protocols the device can be migrated
 * @vmig: device that can migrate
 * @protocols: VMIG_PROTOCOL_*, one or both
 *
 * The vendor driver shows the migration region, and sets vfio_migration_ops, as
 * vmig_get_protocols() says when the device is opened.
 *
 * Context: process, may sleep; no lock held.
 * Source: migration-rules.rst, MIX-04.
 * Return: 0; -EINVAL for none or unknown ones; -EBUSY if the device is open.
 */
int vmig_set_protocols(struct vmig_device *vmig, unsigned int protocols)
{
	int ret = 0;

	if (!protocols || protocols & ~VMIG_PROTOCOLS)
		return -EINVAL;
	mutex_lock(&vmig->lock);
	if (vmig->is_open)
		ret = -EBUSY;
	else
		vmig->protocols = protocols;
	mutex_unlock(&vmig->lock);
	return ret;
}
EXPORT_SYMBOL_GPL(vmig_set_protocols);

/**
 * vmig_get_protocols() - by which protocols the device can be migrated
 * @vmig: device
 *
 * Context: any; constant while the device is open.
 * Return: VMIG_PROTOCOL_*; 0 if it cannot migrate.
 */
unsigned int vmig_get_protocols(struct vmig_device *vmig)
{
	return READ_ONCE(vmig->protocols);
}
EXPORT_SYMBOL_GPL(vmig_get_protocols);

static int __init vmig_module_init(void)
{
	return vmig_mem_setup();
}

static void __exit vmig_module_exit(void)
{
	vmig_mem_teardown();
}

module_init(vmig_module_init);
module_exit(vmig_module_exit);

MODULE_DESCRIPTION("VFIO migration engine for devices in software");
MODULE_LICENSE("GPL");
MODULE_SOFTDEP("pre: libcrc32c");
