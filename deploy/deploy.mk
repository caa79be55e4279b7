# SPDX-License-Identifier: Apache-2.0
# make image | deb | manifests: what is installed elsewhere. Results in build/deploy.
DEPLOY := $(B)/deploy
LOADER := $(if $(filter x86,$(ARCH)),ld-linux-x86-64.so.2,ld-linux-aarch64.so.1)

# The same program with its loader and libraries in one place of its own, for systems that have others or
# none. RPATH and not RUNPATH, as the libraries' own libraries are looked for there as well; no build id,
# which would tell in which folder it was built.
$(B)/wirespan-bundled: $(OBJ)
	$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $^ $(LIBS) -Wl,--build-id=none,--disable-new-dtags,-rpath,/usr/lib/wirespan \
		-Wl,--dynamic-linker=/usr/lib/wirespan/$(LOADER)

image: $(B)/wirespan-bundled
	@tools/image.sh $< $(DEPLOY)

.PHONY: image

# The plain manifest comes from the chart, which is the only place where anything is said: after a change of
# the chart, make manifests. tests/e2e/deploy.bats sees to it that they agree.
HELM = $$(tools/kubernetes.sh helm)/helm
manifests:
	@{ echo '# SPDX-License-Identifier: Apache-2.0'; echo '# Made by make manifests from deploy/chart. Not to be edited.'; \
		$(HELM) template wirespan deploy/chart --namespace wirespan --set-string image.tag=$(VERSION); } > deploy/kubernetes/wirespan.yaml.new
	@mv deploy/kubernetes/wirespan.yaml.new deploy/kubernetes/wirespan.yaml

.PHONY: manifests

deb: all
	@tools/deb.sh $(B)/wirespan $(DEPLOY)

.PHONY: deb

# The DaemonSet on a real node (kubelet, API server, containerd): some 10 minutes of building them the first time
# (tools/kubernetes.sh), hence no part of make check.
kubernetes: image
	@tools/kubernetes.sh > /dev/null
	@bats --tap tests/e2e/kubernetes.bats tests/e2e/kubernetes_shop.bats

.PHONY: kubernetes
