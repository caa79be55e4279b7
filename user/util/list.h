/* SPDX-License-Identifier: Apache-2.0 */
/* list.h - doubly linked list through a member of its elements; the head is an element too. */
#ifndef UTIL_LIST_H
#define UTIL_LIST_H

#include <stdbool.h>
#include <stddef.h>

struct list {
	struct list *prev, *next; /* both NULL: in no list */
};

#define LIST_ENTRY(ptr, type, member) ((type *)((char *)(ptr) - offsetof(type, member)))

static inline void list__init(struct list *head)
{
	head->prev = head->next = head;
}

static inline bool list__empty(const struct list *head)
{
	return head->next == head;
}

static inline bool list__in_one(const struct list *l)
{
	return l->next;
}

/* Does nothing to what is in no list. */
static inline void list__remove(struct list *l)
{
	if (!l->next)
		return;
	l->prev->next = l->next;
	l->next->prev = l->prev;
	l->prev = l->next = NULL;
}

/* To the end of the list, from wherever it was. */
static inline void list__append(struct list *head, struct list *l)
{
	list__remove(l);
	l->prev = head->prev;
	l->next = head;
	head->prev->next = l;
	head->prev = l;
}

#endif
