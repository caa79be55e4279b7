// SPDX-License-Identifier: Apache-2.0
/*
 * table.c - every counter of every stage: its metric, its words in the log, its account.
 *
 * Names: Prometheus, "Metric and label naming": a unit as suffix, _total for what only grows.
 */
#include "decode/decode.h"
#include "ledger/ledger.h"

static bool spool__is_used(const struct spool_counters *n)
{
	return n->found || n->written || n->dropped_full || n->dropped_disk || n->damaged || n->spans;
}

#define SOURCE(name, expression)                                                                                       \
	static const void *of_##name(const struct ledger *l)                                                           \
	{                                                                                                              \
		return expression;                                                                                     \
	}
SOURCE(kernel, l->kernel)
SOURCE(capture, l->capture)
SOURCE(conn, l->conn)
SOURCE(decode, l->decode)
SOURCE(exchange, l->exchange)
SOURCE(link, l->link)
SOURCE(sample, l->sample)
SOURCE(shed, &l->shed)
SOURCE(export, l->export)
SOURCE(meta, &l->meta)
SOURCE(gap, &l->gap)
SOURCE(spool, l->export && spool__is_used(&l->export->spool) ? &l->export->spool : NULL)
SOURCE(agent, &l->agent)
SOURCE(programs, l->programs)

#define N_KINDS (WS_REC_KERNEL_MAX - WS_REC_DATA)
static const char *kind_of(const struct ledger *l, size_t i)
{
	static const char *const kinds[] = {"data", "connection", "close", "process", "tie", "handed"};

	_Static_assert(sizeof(kinds) / sizeof(*kinds) == N_KINDS, "one for each of enum ws_rec_type");
	return kinds[i];
}

static const char *evidence_of(const struct ledger *l, size_t i)
{
	return evidence__name((enum evidence)i);
}

static const char *protocol_of(const struct ledger *l, size_t i)
{
	return protocols[i]->name;
}

static size_t protocols__count(const struct ledger *l)
{
	size_t n = 0;

	while (protocols[n])
		n++;
	return n;
}

static const char *program_of(const struct ledger *l, size_t i)
{
	return l->programs[i].name;
}

static size_t programs__count(const struct ledger *l)
{
	return l->n_programs;
}

#define KERNEL(counter) .of = of_kernel, .offset = WS_CNT_##counter * sizeof(uint64_t)
#define AT(stage, member) .of = of_##stage, .offset = offsetof(struct stage##_counters, member)
#define KINDS(first) KERNEL(first), .n = N_KINDS, .stride = sizeof(uint64_t), .label = "kind", .label_of = kind_of
#define EACH(text, function) .stride = sizeof(uint64_t), .label = text, .label_of = function
#define PROGRAM(member)                                                                                                \
	.of = of_programs, .offset = offsetof(struct attach_program, member), .count = programs__count,                \
	.stride = sizeof(struct attach_program), .label = "program", .label_of = program_of
#define SECONDS .unit = 1e-9
#define RARE(words) .line = LINE_RARE, .log = words
#define ON(which, words) .line = LINE_##which, .log = words
#define OF(which, which_side) .account = ACCOUNT_##which, .side = which_side
#define W "wirespan_"

/* clang-format off */
const struct ledger_row ledger_rows[] = {
/* --- records: bpf/ to capture/ --- */
{W"records_made_total", NULL, "Records that the kernel's half set out to make.", KINDS(made_data),
	ON(RECORDS, "made #"), OF(RECORDS, MADE)},
{W"records_seen_total", NULL, "Records that arrived and are valid.", AT(capture, seen[WS_REC_DATA]), .n = N_KINDS, EACH("kind", kind_of),
	ON(RECORDS, " = seen #"), OF(RECORDS, ENDED)},
{W"records_lost_total", "reason=\"ring_full\"", "Records lost, by reason.", KINDS(lost_data),
	ON(RECORDS, " + lost # (ring full)"), OF(RECORDS, ENDED)},
{W"records_malformed_total", NULL, "Records that arrived and are not valid.", AT(capture, malformed),
	ON(RECORDS, "; malformed #"), OF(RECORDS, ENDED)},
{W"payload_missing_total", "reason=\"ring_nearly_full\"", "Records whose payload is missing or cut short, by reason.", KERNEL(shed_payload),
	ON(RECORDS, "; payload shed from #")},
{W"payload_missing_total", "reason=\"no_address\"", NULL, KERNEL(no_address), ON(RECORDS, ", no address #")},
{W"payload_missing_total", "reason=\"fault\"", NULL, KERNEL(fault), ON(RECORDS, ", unreadable #")},
{W"payload_missing_total", "reason=\"too_long\"", NULL, KERNEL(cut_max), RARE("data records cut short: longer than the largest payload")},
{W"payload_shed_bytes_total", NULL, "Payload left out because the ring was nearly full.", KERNEL(shed_bytes)},
{W"gaps_total", "reason=\"no_record\"", "Gaps in the sequences of connections, by reason: no record told of these bytes, or no agent was there.", AT(conn, gaps), ON(RECORDS, "; gaps #")},
{W"gaps_total", "reason=\"no_agent\"", NULL, AT(conn, missed_gaps), RARE("gaps on connections because no agent ran")},
{W"gap_bytes_total", "reason=\"no_record\"", "Bytes in these gaps.", AT(conn, gap_bytes), ON(RECORDS, " (# bytes)")},
{W"gap_bytes_total", "reason=\"no_agent\"", NULL, AT(conn, missed_bytes), RARE("bytes in these gaps")},
{W"transfers_unseen_total", "reason=\"no_socket_storage\"", "Transfers that no record was made of, by reason.", KERNEL(no_socket_storage), RARE("transfers not seen: socket storage could not be had")},
{W"transfers_unseen_total", "reason=\"missed_run\"", NULL, KERNEL(missed_runs), RARE("program runs skipped by the kernel: the same one was running on that CPU")},
{W"transfers_unseen_total", "reason=\"ignored\"", NULL, KERNEL(ignored), RARE("transfers on connections told to be ignored")},
{W"transfers_late_total", NULL, "Transfers told twice, or after their gap had been given up.", AT(conn, duplicates), RARE("transfers told twice, or too late")},
{W"transfers_reordered_total", NULL, "Transfers that were told before an earlier one, and waited for it.", AT(conn, reordered)},
{W"transfers_unannounced_total", NULL, "Transfers on connections that no record told of.", AT(conn, unknown), RARE("transfers on connections that no record told of")},
{W"wire_bytes_total", NULL, "Bytes moved on traced connections.", KERNEL(bytes_wire)},
{W"captured_bytes_total", NULL, "Bytes of payload copied.", KERNEL(bytes_captured)},
{W"received_payload_bytes_total", NULL, "Bytes of payload that arrived.", AT(capture, seen_payload_bytes)},
/* --- gap/: what the agent before this one has left --- */
{W"no_agent_seconds_total", NULL, "Time in which no agent ran, before this one: at most, if the one before was killed.", AT(gap, duration_ns), SECONDS},
{W"no_agent_connections_total", "fate=\"continued\"", "Connections that moved bytes while no agent ran, by what became of them.", AT(gap, continued), RARE("connections used while no agent ran, which go on")},
{W"no_agent_connections_total", "fate=\"begun\"", NULL, AT(gap, begun), RARE("connections begun and used while no agent ran, which go on")},
{W"no_agent_connections_total", "fate=\"ended\"", NULL, AT(gap, ended), RARE("connections ended while no agent ran: what they moved by then is not known")},
{W"no_agent_bytes_total", "fate=\"continued\"", "Bytes that these moved meanwhile; of those that have ended nobody knows.", AT(gap, continued_bytes)},
{W"no_agent_bytes_total", "fate=\"begun\"", NULL, AT(gap, begun_bytes)},
{W"no_agent_opened_total", "role=\"accepted\"", "Connections opened while no agent ran, in the network namespaces of traced processes: at most, for other processes' count as well.", AT(gap, accepted), RARE("connections accepted while no agent ran, at most")},
{W"no_agent_opened_total", "role=\"connected\"", NULL, AT(gap, connected), RARE("connections made while no agent ran, at most")},
{W"standing_by", NULL, "1 while this agent waits for another one to end, and traces nothing.", AT(gap, waiting), .type = GAUGE},
{W"state_refused_total", NULL, "States of an earlier agent that could not be read.", AT(gap, refused), RARE("states of an earlier agent that could not be read")},
{W"state_write_errors_total", NULL, "Times that the agent's state could not be written.", AT(gap, unwritten), RARE("times that the agent's state could not be written")},
/* --- tables of the kernel and of conn/ --- */
{W"table_full_total", "table=\"processes\"", "Entries that a bounded table had no room for, by table.", KERNEL(processes_full), RARE("processes not selected: map full")},
{W"table_full_total", "table=\"programs\"", NULL, KERNEL(programs_full), RARE("processes whose runtime is not followed: map full")},
{W"table_full_total", "table=\"task_storage\"", NULL, KERNEL(no_task_storage), RARE("decisions not cached: task storage could not be had")},
{W"table_full_total", "table=\"listeners\"", NULL, KERNEL(listeners_full), RARE("listening ports not kept: map full, or no socket storage")},
{W"table_full_total", "table=\"budgets\"", NULL, KERNEL(budgets_full), RARE("budgets of connections or ports not stored: map full")},
{W"table_full_total", "table=\"goroutines\"", NULL, KERNEL(goroutines_full), RARE("goroutines not followed: map full")},
{W"table_full_total", "table=\"batches\"", NULL, KERNEL(batches_full), RARE("pieces of work not kept with their batch: map full")},
{W"table_full_total", "table=\"tokio_tasks\"", NULL, KERNEL(tokio_tasks_full), RARE("tasks of tokio not followed: map full")},
{W"table_full_total", "table=\"node_waits\"", NULL, KERNEL(node_waits_full), RARE("functions that wait for promises, not kept: map full")},
{W"table_full_total", "table=\"values\"", NULL, KERNEL(values_full), RARE("values in channels' buffers not followed: map full")},
{W"table_full_total", "table=\"words\"", NULL, KERNEL(words_full), RARE("words that pools wait on not kept: map full")},
{W"table_full_total", "table=\"writes\"", NULL, KERNEL(writes_full), RARE("sockets of uvloop whose writes are not followed: map full")},
{W"table_full_total", "table=\"items\"", NULL, KERNEL(items_forgotten), RARE("transfers in work items of Python that are not known any more, or not yet")},
{W"table_full_total", "table=\"ring_waits\"", NULL, KERNEL(ring_waits_full), RARE("requests of io_uring whose buffers are not known: map full")},
{W"table_full_total", "table=\"tasks\"", NULL, KERNEL(tasks_evicted), RARE("threads forgotten while they ran: too many at once")},
{W"table_full_total", "table=\"connections\"", NULL, AT(conn, evicted), RARE("connections forgotten: too many at once")},
{W"table_full_total", "table=\"statements\"", NULL, AT(decode, forgotten), RARE("prepared statements and portals forgotten: too many on one connection")},
{W"table_full_total", "table=\"sockets\"", NULL, AT(conn, announced_again), RARE("connections that the kernel's half had forgotten when they were used again")},
{W"table_full_total", "table=\"contexts\"", NULL, AT(link, contexts_evicted), RARE("threads and goroutines forgotten: too many at once")},
{W"table_full_total", "table=\"twins\"", NULL, AT(link, twins_evicted), RARE("calls whose other end came too late: too many waited for theirs")},
{W"table_full_total", "table=\"kubernetes\"", NULL, AT(meta, objects_dropped), RARE("pods and services of Kubernetes not kept: too many")},
{W"table_full_total", "table=\"resource_keys\"", NULL, AT(meta, keys_dropped), RARE("attributes of processes left out: too many different keys, or unfit ones")},
{W"table_full_total", "table=\"attributes\"", NULL, AT(link, attributes_dropped), RARE("attributes of spans left out: too many, or too long")},
{W"connections_opened_total", NULL, "Connections that became known.", AT(conn, opened)},
{W"connections_closed_total", NULL, "Connections that ended or were forgotten.", AT(conn, closed)},
{W"processes", NULL, "Processes whose name is kept.", AT(meta, processes), .type = GAUGE},
/* --- decode/ --- */
{W"messages_total", NULL, "Requests and responses understood.", AT(decode, ok), .count = protocols__count, EACH("protocol", protocol_of)},
{W"messages_truncated_total", NULL, "Messages that ended early because bytes were not captured.", AT(decode, truncated)},
{W"messages_bad_total", NULL, "Places where bytes were none of their connection's protocol.", AT(decode, bad)},
{W"resyncs_total", NULL, "Times that a parser found a beginning again after a gap.", AT(decode, resyncs)},
{W"connections_recognised_total", NULL, "Connections whose protocol was found out.", AT(decode, recognised)},
{W"connections_opaque_total", NULL, "Connections that no parser understands.", AT(decode, opaque)},
{W"connections_upgraded_total", NULL, "Connections that went over to another protocol.", AT(decode, upgraded)},
/* --- exchange/: made = spans + silent + responses alone + under way --- */
{W"exchanges_made_total", NULL, "Exchanges begun: requests, and responses without one.", AT(exchange, seen),
	ON(EXCHANGES, "made #"), OF(EXCHANGES, MADE)},
{W"exchanges_ended_total", "outcome=\"span\"", "Exchanges that ended, by what became of them.", AT(link, spans),
	ON(EXCHANGES, " = spans #"), OF(EXCHANGES, ENDED)},
{W"exchanges_ended_total", "outcome=\"silent\"", NULL, AT(link, silent), ON(EXCHANGES, " + silent #"), OF(EXCHANGES, ENDED)},
{W"exchanges_ended_total", "outcome=\"no_request\"", NULL, AT(link, no_request), ON(EXCHANGES, " + responses alone #"), OF(EXCHANGES, ENDED)},
{W"exchanges_open", NULL, "Exchanges under way.", AT(exchange, open), .type = GAUGE, ON(EXCHANGES, " + open #"), OF(EXCHANGES, ENDED)},
{W"exchanges_waiting", NULL, "Ended exchanges whose parent is not settled.", AT(link, waiting), .type = GAUGE, ON(EXCHANGES, " + waiting #"), OF(EXCHANGES, ENDED)},
{W"exchanges_incomplete_total", "reason=\"lost\"", "Ended exchanges of which something is missing, by reason; one may have several.", AT(exchange, lost),
	ON(EXCHANGES, "; touched by loss #")},
{W"exchanges_incomplete_total", "reason=\"truncated\"", NULL, AT(exchange, cut), ON(EXCHANGES, ", truncated #")},
{W"exchanges_incomplete_total", "reason=\"no_response\"", NULL, AT(exchange, no_response), ON(EXCHANGES, ", without response #")},
{W"exchanges_incomplete_total", "reason=\"no_request\"", NULL, AT(exchange, no_request), ON(EXCHANGES, ", without request #")},
{W"exchanges_incomplete_total", "reason=\"timeout\"", NULL, AT(exchange, timeout), RARE("exchanges open at the end, or given up")},
{W"exchanges_incomplete_total", "reason=\"table_full\"", NULL, AT(exchange, crowded), RARE("exchanges given up for room: too many were open")},
{W"message_parts_stray_total", NULL, "Parts of messages whose beginning was not seen.", AT(exchange, strays)},
{W"messages_pushed_total", NULL, "Messages that a server sent without having been asked.", AT(exchange, pushes)},
{W"bytes_total", "outcome=\"understood\"", "Bytes by what the parsers made of them.", AT(decode, understood_bytes)},
{W"bytes_total", "outcome=\"undecodable\"", NULL, AT(decode, undecodable_bytes), ON(EXCHANGES, "; undecodable bytes #")},
{W"bytes_total", "outcome=\"skipped\"", NULL, AT(decode, skipped_bytes)},
/* --- link/ --- */
{W"spans_made_total", NULL, "Spans.", AT(link, spans), ON(SPANS, "made #"), OF(SPANS, MADE)},
{W"spans_linked_total", NULL, "Spans by the evidence for their parent.", AT(link, by_evidence), .n = EV_MAX, EACH("evidence", evidence_of)},
{W"spans_unlinked_total", NULL, "Spans whose parent could not be proved.", AT(link, by_evidence[EV_UNKNOWN]), ON(SPANS, "; parent unknown #")},
{W"links_refused_total", "reason=\"contradicted\"", "Parents that were likely, and not believed.", AT(link, rejected), ON(SPANS, ", candidates refused #")},
{W"links_refused_total", "reason=\"header\"", NULL, AT(link, conflicts), ON(SPANS, ", header conflicts #")},
{W"spans_decided_early_total", NULL, "Spans whose parent was not waited for: too many were waiting.", AT(link, evicted), ON(SPANS, ", decided early #")},
/* --- sample/, govern.c and what the kernel leaves out --- */
{W"spans_kept_total", NULL, "Spans of traces that are kept.", AT(sample, kept), ON(SAMPLED, "spans kept #"), OF(SPANS, ENDED)},
{W"spans_sampled_out_total", "reason=\"hash\"", "Spans of traces that were left out for load, by what chose them.", AT(sample, out_hash),
	ON(SAMPLED, ", left out # (half of the traces)"), OF(SPANS, ENDED)},
{W"spans_sampled_out_total", "reason=\"pause\"", NULL, AT(sample, out_pause), ON(SAMPLED, " + # (touched by a pause)"), OF(SPANS, ENDED)},
{W"spans_sampled_out_total", "reason=\"health_check\"", NULL, AT(sample, out_probe), ON(SAMPLED, " + # (health checks)"), OF(SPANS, ENDED)},
{W"exchanges_sampled_out_total", NULL, "Requests that were left out in the kernel for load: none of their bytes was told.", KERNEL(sampled_exchanges),
	ON(SAMPLED, "; never told: # requests")},
{W"transfers_sampled_out_total", NULL, "Transfers that were left out in the kernel for load.", KERNEL(sampled_data), ON(SAMPLED, ", # transfers")},
{W"sampled_out_bytes_total", NULL, "Bytes that these moved.", KERNEL(sampled_bytes), ON(SAMPLED, " (# bytes)")},
{W"heads_shortened_total", NULL, "Records whose payload was kept short for load.", KERNEL(sampled_heads), ON(SAMPLED, ", # heads kept short")},
{W"shed_gaps_total", NULL, "Gaps on connections because transfers were left out for load; no loss.", AT(conn, shed_gaps)},
{W"shed_gap_bytes_total", NULL, "Bytes in these gaps.", AT(conn, shed_bytes)},
{W"exchanges_touched_by_shedding_total", NULL, "Exchanges of which a part was left out for load.", AT(exchange, shed), ON(SAMPLED, "; exchanges touched #")},
{W"shed_step", NULL, "Step of load shedding: 0 traces everything (man page, LOAD).", AT(shed, step), .type = GAUGE},
{W"shed_steps_total", "direction=\"up\"", "Changes of that step.", AT(shed, steps_up)},
{W"shed_steps_total", "direction=\"down\"", NULL, AT(shed, steps_down)},
{W"shed_pauses_total", NULL, "Pauses of tracing.", AT(shed, pauses)},
{W"shed_paused_seconds_total", NULL, "Time for which tracing paused.", AT(shed, paused_ns), SECONDS},
{W"cpu_budget_cores", NULL, "--max-cpu in cores; 0: none.", AT(shed, budget_cpu_ns), .type = GAUGE, SECONDS},
{W"cpu_used_cores", NULL, "What is held against it: the average of ten seconds, or since the last step.", AT(shed, used_cpu_ns), .type = GAUGE, SECONDS},
{W"memory_budget_bytes", NULL, "--max-memory; 0: none.", AT(shed, budget_memory), .type = GAUGE},
/* --- export/ --- */
{W"export_spans_total", NULL, "Spans given to the exporter.", AT(export, spans), ON(EXPORT, "spans #"), OF(EXPORT, MADE)},
{W"export_outcome_total", "outcome=\"exported\"", "Spans that left the exporter, by what became of them.", AT(export, exported),
	ON(EXPORT, " = exported #"), OF(EXPORT, ENDED)},
{W"export_outcome_total", "outcome=\"rejected\"", NULL, AT(export, rejected), ON(EXPORT, " + rejected #"), OF(EXPORT, ENDED)},
{W"export_outcome_total", "outcome=\"queue_full\"", NULL, AT(export, dropped_queue), ON(EXPORT, " + dropped # (queue full)"), OF(EXPORT, ENDED)},
{W"export_outcome_total", "outcome=\"gave_up\"", NULL, AT(export, dropped_retry), ON(EXPORT, " + # (gave up)"), OF(EXPORT, ENDED)},
{W"export_queued_spans", NULL, "Spans that wait for the collector.", AT(export, queued), .type = GAUGE, ON(EXPORT, " + queued #"), OF(EXPORT, ENDED)},
{W"spool_found_spans_total", NULL, "Spans that were in the spool at the start.", AT(spool, found), ON(SPOOL, "found #"), OF(EXPORT, MADE)},
{W"spool_written_spans_total", NULL, "Spans written to the spool, some of them more than once.", AT(spool, written), ON(SPOOL, ", written #")},
{W"spool_dropped_spans_total", "reason=\"full\"", "Spans that the spool lost, by reason.", AT(spool, dropped_full),
	ON(SPOOL, "; dropped # (spool full)"), OF(EXPORT, ENDED)},
{W"spool_dropped_spans_total", "reason=\"disk\"", NULL, AT(spool, dropped_disk), ON(SPOOL, " + # (disk)"), OF(EXPORT, ENDED)},
{W"spool_dropped_spans_total", "reason=\"damaged\"", NULL, AT(spool, damaged), ON(SPOOL, ", damaged #"), OF(EXPORT, ENDED)},
{W"spool_damaged_files_total", NULL, "Files of the spool that were partial or altered.", AT(spool, damaged_files), ON(SPOOL, " (# files)")},
{W"spool_held_spans", NULL, "Spans in the spool.", AT(spool, spans), .type = GAUGE, ON(SPOOL, "; holds # spans"), OF(EXPORT, ENDED)},
{W"spool_size_bytes", NULL, "Size of what is in the spool.", AT(spool, bytes), .type = GAUGE, ON(SPOOL, ", # bytes")},
{W"export_batches_total", NULL, "Batches made.", AT(export, batches)},
{W"export_retries_total", NULL, "Batches sent again.", AT(export, retries)},
{W"export_errors_total", NULL, "Attempts that the collector did not accept.", AT(export, failures)},
{W"export_encoded_bytes_total", NULL, "Bytes of batches before compression.", AT(export, bytes_encoded)},
{W"export_sent_bytes_total", NULL, "Bytes of batches that were accepted.", AT(export, bytes_sent)},
/* --- the agent --- */
{W"agent_cpu_seconds_total", NULL, "CPU time of the agent.", AT(agent, cpu_ns), SECONDS},
{W"agent_start_time_seconds", NULL, "When the agent was started, seconds since 1970.", AT(agent, started_ns), .type = GAUGE, SECONDS},
{W"agent_resident_memory_bytes", NULL, "Resident memory of the agent.", AT(agent, rss_bytes), .type = GAUGE},
{W"bpf_map_memory_bytes", NULL, "Memory that the kernel charges for the agent's maps, the ring included.", AT(agent, map_bytes), .type = GAUGE},
{W"ring_size_bytes", NULL, "Size of the ring between kernel and agent.", AT(agent, ring_bytes), .type = GAUGE},
{W"ring_fill_bytes", NULL, "What in it has not been read.", AT(agent, ring_fill_bytes), .type = GAUGE},
{W"loop_turns_total", NULL, "Turns of the agent's timer, one every 50 ms.", AT(agent, ticks)},
{W"bpf_program_run_seconds_total", NULL, "Time spent in each BPF program; while kernel.bpf_stats_enabled is 1.", PROGRAM(run_ns), SECONDS},
{W"bpf_program_runs_total", NULL, "Runs of each BPF program; while kernel.bpf_stats_enabled is 1.", PROGRAM(runs)},
};
/* clang-format on */
const size_t ledger_rows_n = sizeof(ledger_rows) / sizeof(*ledger_rows);

size_t ledger_row__count(const struct ledger_row *r, const struct ledger *l)
{
	if (!r->of(l))
		return 0;
	return r->count ? r->count(l) : r->n ? r->n : 1;
}

uint64_t ledger_row__value(const struct ledger_row *r, const struct ledger *l, size_t i)
{
	return *(const uint64_t *)((const char *)r->of(l) + r->offset + i * r->stride);
}
