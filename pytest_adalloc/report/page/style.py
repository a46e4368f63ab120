"""How the page looks, light and dark, from 360 to 2000 pixels; and the few lines of script that filter and sort."""

STYLE = """
:root{color-scheme:light dark;--bg:#f7f8f9;--surface:#fff;--ink:#171b20;--muted:#56606b;--line:#dde1e6;--edge:#8a949f;
--link:#0a58b8;--fail:#b42318;--pass:#17693c;--kept:#8a5200;--p1:#1f6fb5;--p2:#b45309;--p3:#5b6b7a;--wash:#fdf3f2}
@media(prefers-color-scheme:dark){:root{--bg:#121518;--surface:#1a1e22;--ink:#e9ecef;--muted:#a5afba;--line:#30373e;
--edge:#67727d;--link:#8dbdff;--fail:#ff9a8f;--pass:#7ad6a2;--kept:#f0b45c;--p1:#6db1f0;--p2:#f0a04b;--p3:#8695a4;
--wash:#2a1d1c}}
*{box-sizing:border-box}
body{margin:0;background:var(--bg);color:var(--ink);font:1rem/1.5 system-ui,sans-serif;overflow-wrap:anywhere}
main{max-width:90rem;margin:0 auto;padding:1rem clamp(.75rem,3vw,2rem) 4rem}
h1{font-size:clamp(1.6rem,4vw,2.4rem);line-height:1.2;margin:.5rem 0}
h2{font-size:1.3rem;margin:2rem 0 .75rem}h3{font-size:1.05rem;margin:0}h4{font-size:.95rem;margin:1.25rem 0 .4rem}
a{color:var(--link)}code,pre,.code{font-family:ui-monospace,Menlo,Consolas,monospace;font-size:.82rem}
:focus-visible{outline:3px solid var(--link);outline-offset:2px}
.muted{color:var(--muted)}.small{font-size:.85rem}
.fail{color:var(--fail)}.pass{color:var(--pass)}.kept{color:var(--kept)}
.bar{display:flex;height:.75rem;border-radius:.4rem;overflow:hidden;background:var(--line);margin:.75rem 0}
.bar span{display:block}.bar .b-fail{background:var(--fail)}.bar .b-pass{background:var(--pass)}
.bar .b-expected{background:var(--p3)}
.facts{display:flex;flex-wrap:wrap;gap:.5rem 2rem;padding:0;margin:.5rem 0;list-style:none}
.card,.list{background:var(--surface);border:1px solid var(--line);border-radius:.6rem}
.card{padding:1rem 1.25rem;margin:0 0 1rem;border-left:.35rem solid var(--fail)}
.answers{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(100%,15rem),1fr));
gap:.5rem 1.5rem;margin:.75rem 0}
.answers dt{font-size:.8rem;color:var(--muted)}.answers dd{margin:0}
.tools{position:sticky;top:0;background:var(--bg);display:flex;flex-wrap:wrap;gap:.5rem 1rem;padding:.6rem 0;z-index:1}
.tools label{display:flex;gap:.4rem;align-items:center}
input,select,button{font:inherit;color:inherit;background:var(--surface);border:1px solid var(--edge);
border-radius:.4rem;padding:.3rem .5rem;max-width:100%}
.list{list-style:none;margin:0;padding:0}.list>li{border-bottom:1px solid var(--line)}.list>li:last-child{border:0}
summary{cursor:pointer;padding:.5rem .9rem .5rem 1.9rem;list-style:none;position:relative}
summary::-webkit-details-marker{display:none}
summary::before{content:"\\25B8";position:absolute;left:.8rem;color:var(--muted)}
details[open]>summary::before{content:"\\25BE"}
.row{display:grid;grid-template-columns:11rem minmax(0,1fr) 8rem 8rem 6rem 5rem;gap:.25rem 1rem;align-items:baseline}
.numbers{display:contents}.heads{padding:.4rem .9rem .4rem 1.9rem;color:var(--muted);font-size:.85rem}
.row .n{text-align:right;font-variant-numeric:tabular-nums}
.words{position:absolute;width:1px;height:1px;overflow:hidden;clip-path:inset(50%);white-space:nowrap}
.body{padding:.25rem .9rem 1rem}.body .list{margin:.5rem 0}
@media(max-width:60rem){.row{grid-template-columns:1fr}.row .n{text-align:left}.heads{display:none}
.numbers{display:flex;flex-wrap:wrap;gap:0 1rem;font-size:.85rem}.numbers span:empty{display:none}
.words{position:static;width:auto;height:auto;clip-path:none;color:var(--muted)}}
.src{border:1px solid var(--line);border-radius:.4rem;overflow:hidden;margin:.4rem 0}
.src div{display:grid;grid-template-columns:3.2rem 1.4rem minmax(0,1fr) minmax(0,15rem);gap:.4rem;padding:.05rem .5rem}
.src .no{text-align:right;color:var(--muted);user-select:none}.src pre{margin:0;white-space:pre-wrap}
.src .hit{background:var(--wash)}.src .what{font-size:.8rem}
.src .k{border-left:.16rem solid var(--kept)}.src .k.first{border-top:.16rem solid var(--kept);margin-top:.6rem}
.src .k.last{border-bottom:.16rem solid var(--kept);margin-bottom:.6rem}
@media(max-width:44rem){.src div{grid-template-columns:2.4rem 1rem minmax(0,1fr)}.src .what{grid-column:3}}
pre.text{white-space:pre-wrap;margin:.4rem 0;padding:.75rem;background:var(--bg);border:1px solid var(--line);
border-radius:.4rem}
figure{margin:.5rem 0}figcaption{font-size:.85rem;color:var(--muted)}svg{display:block;width:100%;height:auto}
.plots{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(100%,22rem),1fr));gap:1rem 2rem}
.hbars{display:grid;gap:.35rem}.hbars div{display:grid;grid-template-columns:minmax(0,1fr) auto;gap:0 .75rem}
.hbars i{grid-column:1/3;display:block;height:.55rem;border-radius:.2rem;background:var(--p1);min-width:2px}
table{border-collapse:collapse;width:100%;font-size:.9rem}caption{text-align:left;font-weight:600;padding:.4rem 0}
th,td{text-align:left;vertical-align:top;padding:.3rem .5rem;border-bottom:1px solid var(--line);font-weight:400}
thead th{font-weight:600}td.number{text-align:right;font-variant-numeric:tabular-nums}
.scroll{overflow-x:auto}
svg.p{max-width:27rem}svg.f{width:100%}svg text{font:12px system-ui,sans-serif;fill:var(--ink)}svg .sm{font-size:11px}
.ax{stroke:var(--edge);fill:none}.gr{stroke:var(--line);fill:none}.plots .wide{grid-column:1/-1}
.data summary{padding-left:1.2rem;color:var(--link);font-size:.85rem}.data summary::before{left:0}
.seg{display:inline-flex;border:1px solid var(--edge);border-radius:.4rem;overflow:hidden;font-size:.85rem;
margin:0 0 .5rem}.seg label{padding:.1rem .7rem;cursor:pointer}.seg input{position:absolute;opacity:0}
.seg label:has(:checked){background:var(--ink);color:var(--bg)}
.seg label:has(:focus-visible){outline:3px solid var(--link)}
figure:has([value=bytes]:checked) .by-n,figure:has([value=n]:checked) .by-b{display:none}
@media print{.tools{display:none}body{background:#fff;color:#000}details>*{display:block}}
"""

SCRIPT = """
(()=>{const list=document.getElementById('checks');if(!list)return;
const rows=[...list.children],text=document.getElementById('find'),verdict=document.getElementById('verdict'),
sort=document.getElementById('sort'),shown=document.getElementById('shown');
const order=rows.slice(),number=(r,k)=>parseFloat(r.dataset[k])||0;
function filter(){const wanted=text.value.toLowerCase(),v=verdict.value;let n=0;
for(const r of rows){const yes=(!wanted||r.dataset.t.includes(wanted))&&(!v||r.dataset.v.includes(v));
r.hidden=!yes;n+=yes}
shown.textContent=n+' of '+rows.length+' shown'}
function sorted(){const k=sort.value,next=order.slice();
if(k==='test')next.sort((a,b)=>a.dataset.t<b.dataset.t?-1:1);
else if(k)next.sort((a,b)=>number(b,k)-number(a,k));
list.append(...next)}
text.addEventListener('input',filter);verdict.addEventListener('change',filter);sort.addEventListener('change',sorted);
function opened(){const t=document.getElementById(location.hash.slice(1));
for(let e=t;e;e=e.parentElement)if(e.tagName==='DETAILS')e.open=true;if(t)t.scrollIntoView()}
addEventListener('hashchange',opened);opened()})();
"""
