namespace Weft.Appliance;

/// <summary>The life of a package on a machine: upgrade and downgrade with traffic, reboot, remove, purge; the rpm in an rpm database of its own; equal bytes.</summary>
[Collection(Machine.OneAtATime)]
public sealed class PackageTests
{
    [Fact]
    public async Task Deb_LivesThroughUpgradeDowngradeRebootRemovalAndPurge()
    {
        await using Node node = new();
        await node.InitializeAsync();
        Machine machine = node.Machine;

        await node.WithoutLossAsync(async () =>
        {
            await machine.InstallAsync(await Packages.DebAsync(Packages.Newer));
            await AllActiveAsync(node);
        });
        Assert.Equal(Packages.Newer, (await machine.ShAsync("dpkg-query -W -f '${Version}' weft")).Trim());
        Assert.Contains("written by the administrator", await machine.ShAsync("cat /etc/weft/weft.conf"), StringComparison.Ordinal);
        Assert.Equal("root:weft 640", (await machine.ShAsync("stat -c '%U:%G %a' /etc/weft/weft.conf")).Trim());

        await node.WithoutLossAsync(async () =>
        {
            await machine.InstallAsync(await Packages.DebAsync(Packages.Older));
            await AllActiveAsync(node);
        });

        await machine.RebootAsync();
        await node.WireAsync();
        await AllActiveAsync(node);
        Assert.Contains("pods", await machine.ShAsync("weft get ippools"), StringComparison.Ordinal);

        await machine.ShAsync("dpkg -r weft");
        Assert.Contains("written by the administrator", await machine.ShAsync("cat /etc/weft/weft.conf"), StringComparison.Ordinal);
        Assert.Equal(string.Empty, (await machine.RunAsync("pidof", "weft")).Output);
        await machine.InstallAsync(await Packages.DebAsync(Packages.Newer));
        Assert.Equal("enabled", (await machine.ShAsync("systemctl is-enabled weft-router")).Trim());

        await machine.ShAsync("dpkg -P weft");
        Assert.Equal(string.Empty, await machine.ShAsync("find / -xdev \\( -name '*weft*' -o -path '/etc/weft*' \\) -not -path '/proc/*' -not -path '/sys/*' -not -path '/root/*' -not -path '/var/log/*' -not -path '/run/systemd/*'"));
    }

    [Fact]
    public async Task Deb_FollowsThePresetPolicyOfTheSite()
    {
        await using Machine machine = await Machine.BootAsync();
        await machine.ShAsync("mkdir -p /etc/systemd/system-preset && echo 'enable weft-store.service' >/etc/systemd/system-preset/50-site.preset");

        await machine.InstallAsync(await Packages.DebAsync(Packages.Older));

        Assert.Equal("active", (await machine.ShAsync("systemctl is-active weft-store")).Trim());
        Assert.Equal("disabled", (await machine.RunAsync("systemctl", "is-enabled", "weft-router")).Output.Trim());
        Assert.Equal("disabled", (await machine.RunAsync("systemctl", "is-enabled", "weft-agent.socket")).Output.Trim());
    }

    [Fact]
    public async Task Rpm_InstallsVerifiesUpgradesAndGoes()
    {
        string older = await Packages.RpmAsync(Packages.Older), newer = await Packages.RpmAsync(Packages.Newer);
        string root = Path.Combine(Packages.Repository, "artifacts/machines", $"rpm-{Guid.NewGuid():N}");
        Directory.CreateDirectory(root);
        const string Script = """
            set -e
            mkdir -p "$1/up" "$1/work" "$1/root" && mount -t overlay -o lowerdir="$2",upperdir="$1/up",workdir="$1/work" overlay "$1/root"
            run() { rpm --root "$1/root" --dbpath /var/lib/rpm --nodeps "${@:2}" >&2; }
            mkdir -p "$1/root/etc/systemd/system-preset" && echo 'enable weft-router.service' >"$1/root/etc/systemd/system-preset/50-site.preset"
            run "$1" -i "$3"; echo "enabled: $({ chroot "$1/root" systemctl is-enabled weft-router weft-store || true; } | tr '\n' ' ')"
            echo "version: $(chroot "$1/root" weft version | cut -d' ' -f1)"
            echo "verify: $(rpm --root "$1/root" --dbpath /var/lib/rpm -V --nodeps weft 2>/dev/null)"
            echo '# mine' >>"$1/root/etc/weft/weft.conf"
            run "$1" -U "$4"; echo "upgraded: $(rpm --root "$1/root" --dbpath /var/lib/rpm -q weft 2>/dev/null)"
            echo "kept: $(grep -c '# mine' "$1/root/etc/weft/weft.conf")"; echo "owner: $(chroot "$1/root" stat -c %U:%G:%a /etc/weft/weft.conf)"
            run "$1" -e weft
            echo "left: $(cd "$1/root" && find usr etc -name '*weft*' -not -name 'weft.conf.rpmsave' | sort | tr '\n' ' ')"
            """;
        try
        {
            await (await Machine.BootAsync()).DisposeAsync(); // The root is there.

            Outcome outcome = await Executable.RunAsync("unshare", ["--mount", "bash", "-c", Script, "bash", root, Machine.Root, older, newer], string.Empty);

            string[] lines = outcome.MustSucceed().Output.Split('\n', StringSplitOptions.RemoveEmptyEntries);
            Assert.Equal(
                ["enabled: enabled disabled ", "version: weft", "verify: ", $"upgraded: weft-{Packages.Newer}-1.x86_64", "kept: 1", "owner: root:weft:640", "left: etc/weft "],
                lines);
        }
        finally
        {
            Directory.Delete(root, recursive: true);
        }
    }

    [Fact]
    public async Task Packages_OfOneExecutable_HaveTheSameBytesEachTime()
    {
        string folder = Directory.CreateTempSubdirectory("weft-pack-").FullName;
        try
        {
            await Task.WhenAll(Packages.PackAsync("tarball deb rpm", "1.2.3", Path.Combine(folder, "first")), Packages.PackAsync("tarball deb rpm", "1.2.3", Path.Combine(folder, "second")));

            string[] files = [.. Directory.EnumerateFiles(Path.Combine(folder, "first")).Select(f => Path.GetFileName(f)!).Order()];
            Assert.Equal(4, files.Length);
            Assert.All(files, file => Assert.True(
                File.ReadAllBytes(Path.Combine(folder, "first", file)).AsSpan().SequenceEqual(File.ReadAllBytes(Path.Combine(folder, "second", file))), $"{file} differs"));
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }
    }

    private static async Task AllActiveAsync(Node node)
    {
        foreach (string unit in (string[])["weft-store", "weft-agent", "weft-router"])
        {
            await node.ActiveAsync(unit);
        }
    }
}
