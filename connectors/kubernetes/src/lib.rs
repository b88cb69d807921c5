//! Reads Kubernetes.
