"""The static report: records in, a folder of pages out that needs no server and asks the network for nothing."""

from harness.report.site.build import Site, build_site

__all__ = ["Site", "build_site"]
