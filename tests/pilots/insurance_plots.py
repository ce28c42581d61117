# Plots everywhere, with names that the plots bind (fig, ax, data, x); one-hot by an encoder outside the model.

# %% [markdown]
# # Medical cost

# %%
import numpy as np
import pandas as pd
import matplotlib.pyplot as plt
# %matplotlib inline
plt.rcParams['figure.figsize'] = (8, 5)

# %%
data = pd.read_csv('insurance.csv')
data.head()

# %%
data.describe(include='all')

# %%
fig, ax = plt.subplots(2, 2, figsize=(12, 8))
ax[0, 0].hist(data['age'], bins=20)
ax[0, 1].hist(data['bmi'], bins=20, color='g')
ax[1, 0].hist(data['charges'], bins=30, color='r')
ax[1, 1].bar(data['region'].value_counts().index, data['region'].value_counts().values)
plt.tight_layout()

# %%
data.boxplot(column='charges', by='smoker')
plt.suptitle('')

# %%
for region in data['region'].unique():
    x = data[data['region'] == region]
    plt.scatter(x['age'], x['charges'], s=8, label=region)
plt.legend()
plt.show()

# %%
smokers = data[data.smoker == 'yes']
non_smokers = data[data.smoker == 'no']
print('mean cost of smokers', smokers.charges.mean(), 'and others', non_smokers.charges.mean())
plt.hist([smokers.charges, non_smokers.charges], bins=25, stacked=True)

# %%
data.drop_duplicates(inplace=True)

# %%
data['smoker'] = data['smoker'].apply(lambda s: 1 if s == 'yes' else 0)
data['sex'] = np.where(data['sex'] == 'male', 1, 0)

# %%
from sklearn.preprocessing import OneHotEncoder
ohe = OneHotEncoder(sparse_output=False, drop='first')
region_enc = ohe.fit_transform(data[['region']])
region_df = pd.DataFrame(region_enc, columns=ohe.get_feature_names_out(['region']), index=data.index)
data = pd.concat([data.drop('region', axis=1), region_df], axis=1)
data.head()

# %%
corr = data.corr()
plt.imshow(corr, cmap='coolwarm')
plt.xticks(range(len(corr)), corr.columns, rotation=90)
plt.colorbar();

# %%
# bmi over 30 and smoking together is bad
data['obese_smoker'] = ((data['bmi'] > 30) & (data['smoker'] == 1)).astype(int)

# %%
X = data.drop(columns='charges')
y = data['charges']

# %%
from sklearn.model_selection import train_test_split
X_train, X_test, y_train, y_test = train_test_split(X, y, random_state=0)

# %%
from sklearn.preprocessing import PolynomialFeatures
from sklearn.linear_model import LinearRegression
from sklearn.metrics import r2_score, mean_absolute_error
poly = PolynomialFeatures(degree=2)
X_poly_train = poly.fit_transform(X_train)
X_poly_test = poly.transform(X_test)

# %%
pol_reg = LinearRegression()
pol_reg.fit(X_poly_train, y_train)
y_hat = pol_reg.predict(X_poly_test)
print('r2', r2_score(y_test, y_hat), 'mae', mean_absolute_error(y_test, y_hat))

# %%
fig, ax = plt.subplots()
ax.scatter(y_test, y_hat, alpha=0.5)
ax.plot([0, 60000], [0, 60000], 'r--')

# %%
residuals = y_test - y_hat
plt.hist(residuals, bins=30)
plt.title('residuals')
