/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Tracepoints of the engine: state changes, segments, commits, refusals.
 */
#undef TRACE_SYSTEM
#define TRACE_SYSTEM vmig

#if !defined(_VMIG_TRACE_H) || defined(TRACE_HEADER_MULTI_READ)
#define _VMIG_TRACE_H

#include <linux/tracepoint.h>
#include <linux/vmig.h>

#include "vmig_compat.h"

TRACE_EVENT(vmig_state,
	TP_PROTO(struct vmig_device *vmig, enum vmig_state from,
		 enum vmig_state to),
	TP_ARGS(vmig, from, to),
	TP_STRUCT__entry(
		__string(name, vmig->cfg->name)
		__field(u32, from)
		__field(u32, to)
	),
	TP_fast_assign(
		vmig_assign_str(name, vmig->cfg->name);
		__entry->from = from;
		__entry->to = to;
	),
	TP_printk("%s %u -> %u", __get_str(name), __entry->from, __entry->to)
);

TRACE_EVENT(vmig_stage,
	TP_PROTO(struct vmig_device *vmig, u64 seq, u32 len),
	TP_ARGS(vmig, seq, len),
	TP_STRUCT__entry(
		__string(name, vmig->cfg->name)
		__field(u32, state)
		__field(u64, seq)
		__field(u32, len)
	),
	TP_fast_assign(
		vmig_assign_str(name, vmig->cfg->name);
		__entry->state = vmig->state;
		__entry->seq = seq;
		__entry->len = len;
	),
	TP_printk("%s state %u: record %llu on, %u bytes", __get_str(name),
		  __entry->state, __entry->seq, __entry->len)
);

TRACE_EVENT(vmig_ack,
	TP_PROTO(struct vmig_device *vmig, u32 len),
	TP_ARGS(vmig, len),
	TP_STRUCT__entry(
		__string(name, vmig->cfg->name)
		__field(u32, len)
	),
	TP_fast_assign(
		vmig_assign_str(name, vmig->cfg->name);
		__entry->len = len;
	),
	TP_printk("%s %u bytes", __get_str(name), __entry->len)
);

TRACE_EVENT(vmig_feed,
	TP_PROTO(struct vmig_device *vmig, size_t len, int ret),
	TP_ARGS(vmig, len, ret),
	TP_STRUCT__entry(
		__string(name, vmig->cfg->name)
		__field(u64, len)
		__field(int, ret)
	),
	TP_fast_assign(
		vmig_assign_str(name, vmig->cfg->name);
		__entry->len = len;
		__entry->ret = ret;
	),
	TP_printk("%s %llu bytes: %d", __get_str(name), __entry->len,
		  __entry->ret)
);

TRACE_EVENT(vmig_refuse,
	TP_PROTO(const char *who, const char *field, int err),
	TP_ARGS(who, field, err),
	TP_STRUCT__entry(
		__string(who, who)
		__string(field, field)
		__field(int, err)
	),
	TP_fast_assign(
		vmig_assign_str(who, who);
		vmig_assign_str(field, field);
		__entry->err = err;
	),
	TP_printk("%s %s: %d", __get_str(who), __get_str(field), __entry->err)
);

#endif /* _VMIG_TRACE_H */

#undef TRACE_INCLUDE_PATH
/* Found from drivers/compat, which is in the search path. */
#define TRACE_INCLUDE_PATH ../../drivers/vfio/vmig
#undef TRACE_INCLUDE_FILE
#define TRACE_INCLUDE_FILE trace
#include <trace/define_trace.h>
