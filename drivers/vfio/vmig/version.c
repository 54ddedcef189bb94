// SPDX-License-Identifier: GPL-2.0-only
/*
 * Version strings: printing ours and judging somebody else's.
 *
 *   mimic,accel,stream=1.1,memory=67108864,rings=2
 *
 * vendor, model, the stream format that a reader must know, and then what both
 * devices must have in common. The grammar is strict, one spelling for each
 * meaning, since a string that is almost right is another string:
 *
 *   string = word "," word ",stream=" number "." number *( "," word "=" number )
 *   word   = 1*( a-z / 0-9 )
 *   number = "0" / ( 1-9 *digit ), below 2^64
 */
#include <linux/errno.h>
#include <linux/export.h>
#include <linux/kernel.h>
#include <linux/limits.h>
#include <linux/string.h>

#include "version.h"

/* What is left of the string. */
struct vmig_cursor {
	const char *p;
	const char *end;
};

static bool vmig_is_word(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
}

static unsigned int vmig_take_word(struct vmig_cursor *c)
{
	const char *p = c->p;

	while (c->p < c->end && vmig_is_word(*c->p))
		c->p++;
	return c->p - p;
}

static bool vmig_take_char(struct vmig_cursor *c, char want)
{
	if (c->p == c->end || *c->p != want)
		return false;
	c->p++;
	return true;
}

static bool vmig_take_number(struct vmig_cursor *c, u64 *value)
{
	const char *first = c->p;
	u64 v = 0;

	while (c->p < c->end && *c->p >= '0' && *c->p <= '9') {
		unsigned int digit = *c->p - '0';

		if (v > (U64_MAX - digit) / 10)
			return false;
		v = v * 10 + digit;
		c->p++;
	}
	*value = v;
	return c->p != first && (*first != '0' || c->p == first + 1);
}

static bool vmig_word_is(const char *p, unsigned int len, const char *want)
{
	return strlen(want) == len && !memcmp(p, want, len);
}

static int vmig_refuse(struct vmig_verdict *v, int err, const char *field,
		       const char *theirs, unsigned int len)
{
	v->field = field;
	v->theirs = theirs;
	v->theirs_len = len;
	return err;
}

static int vmig_malformed(struct vmig_verdict *v, const struct vmig_cursor *c)
{
	v->ours[0] = 0;
	return vmig_refuse(v, -EINVAL, "syntax", c->p, c->end - c->p);
}

static int vmig_judge_word(struct vmig_cursor *c, const char *field,
			   const char *want, struct vmig_verdict *v)
{
	const char *p = c->p;
	unsigned int len = vmig_take_word(c);

	if (!len)
		return vmig_malformed(v, c);
	if (vmig_word_is(p, len, want))
		return 0;
	strscpy(v->ours, want, sizeof(v->ours));
	return vmig_refuse(v, -EXDEV, field, p, len);
}

static int vmig_judge_stream(struct vmig_cursor *c, struct vmig_verdict *v)
{
	u64 major, minor;
	const char *p;
	unsigned int len = 0;

	p = c->p;
	len = vmig_take_word(c);
	if (!vmig_word_is(p, len, "stream") || !vmig_take_char(c, '='))
		return vmig_malformed(v, c);
	p = c->p;
	if (!vmig_take_number(c, &major) || !vmig_take_char(c, '.') ||
	    !vmig_take_number(c, &minor))
		return vmig_malformed(v, c);
	if (major == VMIG_STREAM_MAJOR && minor <= VMIG_STREAM_MINOR)
		return 0;
	snprintf(v->ours, sizeof(v->ours), "%u.%u", VMIG_STREAM_MAJOR,
		 VMIG_STREAM_MINOR);
	return vmig_refuse(v, -EOPNOTSUPP, "stream", p, c->p - p);
}

static int vmig_judge_param(struct vmig_cursor *c, const struct vmig_param *want,
			    struct vmig_verdict *v)
{
	const char *name = c->p, *p;
	unsigned int len = vmig_take_word(c);
	u64 value;

	if (!len || !vmig_take_char(c, '='))
		return vmig_malformed(v, c);
	p = c->p;
	if (!vmig_take_number(c, &value))
		return vmig_malformed(v, c);
	if (!want || !vmig_word_is(name, len, want->name)) {
		strscpy(v->ours, want ? want->name : "no such field",
			sizeof(v->ours));
		return vmig_refuse(v, -EOPNOTSUPP, "feature", name, len);
	}
	if (value == want->value)
		return 0;
	snprintf(v->ours, sizeof(v->ours), "%llu",
		 (unsigned long long)want->value);
	return vmig_refuse(v, -EXDEV, want->name, p, c->p - p);
}

/*
 * Syntax errors win over differences, whatever comes first in the string: a
 * malformed string says nothing about another device. So remember the first
 * difference and read on.
 */
static int vmig_note(int *first, int err, struct vmig_verdict *kept,
		     const struct vmig_verdict *now)
{
	if (err == -EINVAL)
		return err;
	if (err && !*first) {
		*first = err;
		*kept = *now;
	}
	return 0;
}

/**
 * vmig_version_judge() - can a stream of such a source be loaded here
 * @ident: what we are
 * @str: version string, without newline
 * @len: its length in bytes
 * @verdict: filled when the string is refused; points into @str
 *
 * Context: any.
 * Source: migration-rules.rst, VER-04, VER-07, VER-11, VER-16.
 * Return: 0; -EINVAL if the string is malformed; -EXDEV if it is of another
 * device or geometry; -EOPNOTSUPP if it needs a stream format or feature that
 * is not known here.
 */
int vmig_version_judge(const struct vmig_ident *ident, const char *str,
		       size_t len, struct vmig_verdict *verdict)
{
	struct vmig_cursor c = { .p = str, .end = str + len };
	struct vmig_verdict now;
	unsigned int i;
	int first = 0;
	bool ours;

	if (!len || len >= VMIG_VERSION_MAX)
		return vmig_malformed(verdict, &c);
	if (vmig_note(&first, vmig_judge_word(&c, "vendor", ident->vendor, &now),
		      verdict, &now) || !vmig_take_char(&c, ',') ||
	    vmig_note(&first, vmig_judge_word(&c, "model", ident->model, &now),
		      verdict, &now) || !vmig_take_char(&c, ',') ||
	    vmig_note(&first, vmig_judge_stream(&c, &now), verdict, &now))
		return vmig_malformed(verdict, &c);

	ours = !first;
	for (i = 0; c.p != c.end; i++) {
		const struct vmig_param *want = NULL;

		if (i < ident->nr_params)
			want = &ident->params[i];
		if (!vmig_take_char(&c, ',') ||
		    vmig_note(&first, vmig_judge_param(&c, want, &now), verdict,
			      &now))
			return vmig_malformed(verdict, &c);
	}
	/*
	 * Another device or format need not have our fields. Ours has them all,
	 * or it was cut off, perhaps within a number that now looks different.
	 */
	if (ours && i < ident->nr_params)
		return vmig_malformed(verdict, &c);
	return first;
}

/**
 * vmig_version_print() - our version string
 * @ident: what we are
 * @buf: gets the string, terminated, without newline
 * @size: bytes of @buf; VMIG_VERSION_MAX is always enough for a valid @ident
 *
 * Context: any.
 * Return: the length of the string, or -ENOSPC if it does not fit.
 */
int vmig_version_print(const struct vmig_ident *ident, char *buf, size_t size)
{
	unsigned int i;
	size_t len;

	len = snprintf(buf, size, "%s,%s,stream=%u.%u", ident->vendor,
		       ident->model, VMIG_STREAM_MAJOR, VMIG_STREAM_MINOR);
	for (i = 0; i < ident->nr_params && len < size; i++)
		len += snprintf(buf + len, size - len, ",%s=%llu",
				ident->params[i].name,
				(unsigned long long)ident->params[i].value);
	return len < size ? (int)len : -ENOSPC;
}
EXPORT_SYMBOL_GPL(vmig_version_print);
