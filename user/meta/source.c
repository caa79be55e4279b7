// SPDX-License-Identifier: Apache-2.0
/* source.c - the table of sources. What several of them tell, the first one has told. */
#include "meta/source.h"

const struct source sources[] = {
	{.name = "docker", .look = source_docker__look},
	{.name = "oci", .look = source_oci__look},
	{.name = "podman", .look = source_podman__look},
	{.name = "runc", .look = source_runc__look},
	{.name = "engine", .open = source_engine__open, .ask = source_engine__ask, .tick = source_engine__tick,
	 .forget = source_engine__forget, .close = source_engine__close},
	{.name = "kubernetes", .there = source_kubernetes__there, .open = source_kubernetes__open,
	 .ask = source_kubernetes__ask, .tick = source_kubernetes__tick,
	 .peer = source_kubernetes__peer, .close = source_kubernetes__close},
	{.name = "services", .open = source_services__open, .tick = source_services__tick, .peer = source_services__peer,
	 .close = source_services__close},
};
const unsigned sources_n = sizeof(sources) / sizeof(*sources);
